//go:build unix

// These tests prove that whatever reads a stranger's or an operator's text reads
// it in one way only: every endpoint and file of the running program refuses
// what two readers could take for two things, changes nothing for it, and repeats
// nothing of it, neither in its answer nor in its log.
package strict_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jithook/jithook/test/server"
)

// canary stands in every body where any value may stand.
const canary = "canary-of-a-person"

const acme = `
version: 1
provider: acme
issuer: https://acme.example
jit: {enabled: true}
traits: {name: {value: claims.name}}
`

// value puts JSON where any may stand.
func value(good, json string) string { return strings.Replace(good, `"`+canary+`"`, json, 1) }

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// escaped writes the first letter of a member's name as an escape.
func escaped(member string) string { return fmt.Sprintf(`"\u%04x%s`, member[1], member[2:]) }

const (
	nobody  = "00000000-0000-0000-0000-000000000000"
	generic = `{"version":1,"provider":"acme","subject":"s-1","claims":{"name":"` + canary + `"}}`
)

func hookBody(id string) string {
	return `{"version":1,"flow":{"id":"f-1","type":"browser"},"identity":{"id":"` + id + `","state":"active","traits":{"name":"` + canary + `"},
		"metadata_public":{"jithook":{"provider":"acme","issuer":"https://acme.example","subject":"s-2","claims":{"name":"N"}}}}}`
}

// TestEveryEndpoint: the same body without the edit is taken.
func TestEveryEndpoint(t *testing.T) {
	// What comes out of an edit must be refused, wherever it is read.
	hostile := map[string]func(good, member string) string{
		"S10 two members of one name": func(good, member string) string { return "{" + member + "," + good[1:] },
		"S10 one of them escaped":     func(good, member string) string { return "{" + escaped(member) + "," + good[1:] },
		"S10 in other letters": func(good, member string) string {
			return "{" + strings.ToUpper(member[:3]) + member[3:] + "," + good[1:]
		},
		"S10 in letters that fold": func(good, member string) string {
			return "{" + strings.Replace(member, "s", "\u017f", 1) + "," + good[1:]
		},
		"S10 deep in what is free":      func(good, _ string) string { return value(good, `{"a":"`+canary+`","a":1}`) },
		"S11 a second document":         func(good, _ string) string { return good + good },
		"S11 a word after it":           func(good, _ string) string { return good + " " + canary },
		"S11 a NUL after it":            func(good, _ string) string { return good + "\x00" },
		"S12 a level too many":          func(good, _ string) string { return value(good, nested(65)) },
		"S12 as deep as a body is long": func(good, _ string) string { return value(good, nested(450_000)) },
		"S12 as deep, in objects":       func(good, _ string) string { return value(good, strings.Repeat(`{"a":`, 150_000)) },
		"a byte order mark":             func(good, _ string) string { return "\ufeff" + good },
		"bytes that are no UTF-8":       func(good, _ string) string { return value(good, "\""+canary+"\xff\"") },
		"half a surrogate":              func(good, _ string) string { return value(good, `"`+canary+`\ud800"`) },
		"UTF-16":                        func(good, _ string) string { return strings.Join(strings.Split(good, ""), "\x00") },
		"a number without end":          func(good, _ string) string { return value(good, "1e999") },
		"a number that is none":         func(good, _ string) string { return value(good, "NaN") },
		"a number with a zero before":   func(good, _ string) string { return value(good, "012") },
		"a comment":                     func(good, _ string) string { return "{/* " + canary + " */" + good[1:] },
		"a comma at the end":            func(good, _ string) string { return good[:len(good)-1] + ",}" },
		"a list around it":              func(good, _ string) string { return "[" + good + "]" },
		"cut off":                       func(good, _ string) string { return good[:len(good)-1] },
		"nothing":                       func(string, string) string { return "" },
		"null":                          func(string, string) string { return "null" },
	}
	s := server.Start(t, server.Config{
		Binary: server.Build(t), Providers: map[string]string{"acme.yaml": acme},
		Store: map[string]any{"bolt": map[string]any{"path": filepath.Join(t.TempDir(), "jithook.db")}},
	})
	s.AwaitReady(t)
	if status, reply := call(t, http.MethodPost, s.Hooks+"/hooks/login", generic); status != http.StatusOK {
		t.Fatalf("%d %s", status, reply)
	}
	export := func() string {
		status, lines := call(t, http.MethodGet, s.Admin+"/admin/v1/store/export", "")
		if status != http.StatusOK {
			t.Fatalf("export: %d", status)
		}
		return identities(lines)
	}
	before := export()
	_, id, _ := strings.Cut(before, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	version := `"version":1`
	for name, c := range map[string]struct{ method, url, good, member string }{
		"prepare":  {http.MethodPost, s.Hooks + "/hooks/kratos/registration/prepare", hookBody(nobody), version},
		"commit":   {http.MethodPost, s.Hooks + "/hooks/kratos/registration/commit", hookBody("k-1"), version},
		"login":    {http.MethodPost, s.Hooks + "/hooks/kratos/login", hookBody("k-1"), version},
		"check":    {http.MethodPost, s.Hooks + "/hooks/kratos/settings/check", hookBody("k-1"), version},
		"links":    {http.MethodPost, s.Hooks + "/hooks/kratos/settings/links", hookBody("k-1"), version},
		"profile":  {http.MethodPost, s.Hooks + "/hooks/kratos/settings/profile", hookBody("k-1"), version},
		"generic":  {http.MethodPost, s.Hooks + "/hooks/login", generic, version},
		"plan":     {http.MethodPost, s.Admin + "/admin/v1/plan", generic, version},
		"identity": {http.MethodPatch, s.Admin + "/admin/v1/identities/" + id, `{"traits":{"name":"` + canary + `"}}`, `"traits":{"name":"N"}`},
		"import":   {http.MethodPost, s.Admin + "/admin/v1/store/import", strings.TrimSuffix(before, "\n"), `"version":1`},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, edit := range hostile {
				if name == "import" && strings.Contains("nothing, S11 a second document", kind) {
					continue // no line is no line, and two are two
				}
				body := edit(c.good, c.member)
				status, reply := call(t, c.method, c.url, body)
				if status != http.StatusBadRequest || strings.Contains(reply, canary) {
					t.Errorf("%s: %d %.300s", kind, status, reply)
				}
			}
			if after := export(); after != before {
				t.Errorf("something was written:\n%s\nwas\n%s", after, before)
			}
		})
		if log := s.Log(t); strings.Contains(log, canary) {
			t.Fatalf("%s: the log repeats a value", name)
		}
	}
	for _, body := range []string{hookBody(nobody), value(hookBody(nobody), nested(40)), value(hookBody(nobody), strings.Repeat("9", 400))} {
		if status, reply := call(t, http.MethodPost, s.Hooks+"/hooks/kratos/registration/prepare", body); status != http.StatusOK {
			t.Errorf("a good body: %d %.300s", status, reply)
		}
	}
	for path, status := range map[string]int{"/hooks/login": http.StatusOK, "/admin/v1/plan": http.StatusOK} {
		base := s.Hooks
		if strings.HasPrefix(path, "/admin") {
			base = s.Admin
		}
		if got, reply := call(t, http.MethodPost, base+path, generic); got != status {
			t.Errorf("a good body: %d %.300s", got, reply)
		}
	}
	for _, row := range [][3]string{
		{http.MethodPost, "/admin/v1/store/import", before},
		{http.MethodPatch, "/admin/v1/identities/" + id, `{"traits":{"name":"` + canary + `"}}`},
	} {
		if status, reply := call(t, row[0], s.Admin+row[1], row[2]); status != http.StatusOK {
			t.Errorf("a good body: %s %d %.300s", row[1], status, reply)
		}
	}
}

// identities are the lines of an export that hold an identity.
func identities(export string) string {
	var found strings.Builder
	for line := range strings.Lines(export) {
		if strings.Contains(line, `"identity":{`) {
			found.WriteString(line)
		}
	}
	return found.String()
}

func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "If-Match": {`"1"`},
		"X-Api-Key": {server.Secret}, "Authorization": {"Bearer " + server.Secret},
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}
