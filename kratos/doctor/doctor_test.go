// These tests prove what needs no Kratos: that the page says of every finding
// what it is and how it is mended, that faults are found where they are, what a
// probe makes of whoever answers, and what the newest decisions tell. (Each fault in the configuration of a real
// Kratos is put in and found in test/kratos.)
package doctor_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos/doctor"
)

var update = flag.Bool("update", false, "rewrite the table of the page")

const page = "../../docs/doctor.md"

func TestPage(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- doctor codes: begin -->\n", "<!-- doctor codes: end -->"
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("no place for the table")
	}
	table := "| code | what is wrong | what to do |\n|---|---|---|\n"
	for _, info := range doctor.Codes() {
		table += fmt.Sprintf("| [`%s`](#%s) | %s | %s |\n", info.Code, info.Code, info.What, info.Mend)
	}
	if want := head + begin + table + end + tail; want != string(data) {
		if !*update {
			t.Error("the page's table is not the code's: run `make generate`")
		} else if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got, want []string
	for _, section := range strings.Split(tail, "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		if got = append(got, name); len(strings.TrimSpace(text)) < 80 {
			t.Errorf("%s: the section says nothing", name)
		}
	}
	for _, info := range doctor.Codes() {
		want = append(want, string(info.Code))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sections (-codes +page):\n%s", diff)
	}
}

// TestProbe: who is jithook refuses a body that says nothing, once the key was
// taken. Whatever else answers is a finding, without a word of the answer, and
// the key goes nowhere but to the address itself.
func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		media  string
		took   time.Duration
		want   doctor.Code
	}{
		"jithook":          {400, "application/problem+json", 0, ""},
		"a slow jithook":   {400, "application/problem+json", 3 * time.Second, doctor.CodeHookSlow},
		"another key":      {401, "application/problem+json", 0, doctor.CodeKeyDiffers},
		"not this one":     {403, "application/problem+json", 0, doctor.CodeKeyDiffers},
		"another page":     {404, "text/html", 0, doctor.CodeHookUnreachable},
		"somebody else":    {400, "application/json", 0, doctor.CodeHookUnreachable},
		"whoever says yes": {200, "application/json", 0, doctor.CodeHookUnreachable},
		"elsewhere":        {307, "text/html", 0, doctor.CodeHookUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				if r.Method != http.MethodPost || r.URL.Path != "/hooks/kratos/login" || r.Header.Get("X-API-Key") != "canary-key" {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				w.Header().Set("Content-Type", c.media)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				fmt.Fprint(w, "canary")
			}))
			defer server.Close()
			hook := map[string]any{"hook": "web_hook", "config": map[string]any{
				"url":  server.URL + "/hooks/kratos/login",
				"auth": map[string]any{"type": "api_key", "config": map[string]any{"in": "header", "name": "X-API-Key", "value": "canary-key"}},
			}}
			theirs := map[string]any{"hook": "web_hook", "config": map[string]any{"url": server.URL + "/theirs"}}
			config := map[string]any{"selfservice": map[string]any{"flows": map[string]any{"login": map[string]any{"after": map[string]any{
				"oidc": map[string]any{"hooks": []any{hook, theirs}}, "password": map[string]any{"hooks": []any{hook}},
			}}}}}
			at := time.Unix(0, 0)
			clock := func() time.Time { at = at.Add(c.took); return at }
			found := doctor.Probe(t.Context(), clock, config, server.URL, nil)
			var got doctor.Code
			if len(found) > 0 {
				got = found[0].Code
			}
			if len(found) > 1 || got != c.want || calls != 1 {
				t.Errorf("%d calls, found %+v", calls, found)
			}
			if strings.Contains(fmt.Sprint(found), "canary") {
				t.Errorf("it says %v", found)
			}
		})
	}
}

// TestProbeSilent: a server that never answers is waited for once.
func TestProbeSilent(t *testing.T) {
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer server.Close()
	defer close(over)
	hook := func(path string) map[string]any {
		return map[string]any{"hooks": []any{map[string]any{"hook": "web_hook", "config": map[string]any{"url": server.URL + "/hooks/kratos/" + path}}}}
	}
	config := map[string]any{"selfservice": map[string]any{"flows": map[string]any{"login": map[string]any{"after": map[string]any{
		"oidc": hook("login"), "password": hook("settings/check"), "code": hook("settings/profile"),
	}}}}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if found := doctor.Probe(ctx, time.Now, config, server.URL, nil); len(found) != 1 || found[0].Code != doctor.CodeHookSlow {
		t.Errorf("found %+v", found)
	}
}

// TestDistinct: what is found twice is shown once, and what only has the same code,
// each time.
func TestDistinct(t *testing.T) {
	of := func(text string, path ...string) doctor.Finding {
		return doctor.Finding{Code: doctor.CodeClaimsMissing, Path: path, Text: text}
	}
	late := doctor.Finding{Code: doctor.CodeDecisionLate, Text: "acme"}
	for name, c := range map[string]struct{ found, want []doctor.Finding }{
		"two without a place":         {[]doctor.Finding{of("acme"), of("globex")}, []doctor.Finding{of("acme"), of("globex")}},
		"the same without a place":    {[]doctor.Finding{of("acme"), of("acme")}, []doctor.Finding{of("acme")}},
		"with a place, then without":  {[]doctor.Finding{of("acme", "a", "1"), of("acme, lately")}, []doctor.Finding{of("acme", "a", "1")}},
		"with a place, then a wider":  {[]doctor.Finding{of("acme", "a", "1"), of("acme", "a")}, []doctor.Finding{of("acme", "a", "1")}},
		"with a place, then a deeper": {[]doctor.Finding{of("acme", "a"), of("acme", "a", "1")}, []doctor.Finding{of("acme", "a"), of("acme", "a", "1")}},
		"two places":                  {[]doctor.Finding{of("acme", "a", "10"), of("acme", "a", "1")}, []doctor.Finding{of("acme", "a", "10"), of("acme", "a", "1")}},
		"another code":                {[]doctor.Finding{of("acme"), late}, []doctor.Finding{of("acme"), late}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := doctor.Distinct(c.found); !reflect.DeepEqual(got, c.want) {
				t.Errorf("left is %v, want %v", got, c.want)
			}
		})
	}
}

// TestRecent: only the newest decision at each hook about each provider counts,
// and only what no other person would have been told differently.
func TestRecent(t *testing.T) {
	record := func(provider string, hook identity.Hook, code identity.Code) identity.Record {
		return identity.Record{ID: "d-1", Provider: provider, Hook: hook, Caller: "kratos", Reasons: []identity.Reason{{Code: code}}}
	}
	of := func(caller string, r identity.Record) identity.Record { r.Caller = caller; return r }
	shadow := func(r identity.Record) identity.Record { r.Decision = identity.Shadowed; return r }
	for name, c := range map[string]struct {
		records []identity.Record
		want    []doctor.Code
	}{
		"nothing yet":      {nil, nil},
		"all is well":      {[]identity.Record{record("acme", identity.HookPrepare, identity.CodeCreated)}, nil},
		"a person's fault": {[]identity.Record{record("acme", identity.HookPrepare, identity.CodeNotAllowed)}, nil},
		"mended": {[]identity.Record{
			record("acme", identity.HookPrepare, identity.CodeCreated), record("acme", identity.HookPrepare, identity.CodeClaimsAbsent),
		}, nil},
		"logins say nothing of first ones": {[]identity.Record{
			record("acme", identity.HookLogin, identity.CodeUnchanged), record("acme", identity.HookPrepare, identity.CodeClaimsAbsent),
		}, []doctor.Code{doctor.CodeClaimsMissing}},
		"logins need no claims": {[]identity.Record{record("acme", identity.HookLogin, identity.CodeClaimsAbsent)}, nil},
		"each provider": {[]identity.Record{
			record("acme", identity.HookPrepare, identity.CodeUnknownProvider), record("globex", identity.HookPrepare, identity.CodeIssuerUnknown),
			record("initech", identity.HookPrepare, identity.CodeCallerScope),
		}, []doctor.Code{doctor.CodeProviderUnknown, doctor.CodeIssuerDiffers, doctor.CodeProviderUnknown}},
		"too late":                     {[]identity.Record{record("acme", identity.HookPrepare, identity.CodeDeadlineExceeded)}, []doctor.Code{doctor.CodeDecisionLate}},
		"no store":                     {[]identity.Record{record("acme", identity.HookLogin, identity.CodeStoreUnavailable)}, []doctor.Code{doctor.CodeStoreAway}},
		"another key of this Kratos's": {[]identity.Record{of("kratos-new", record("acme", identity.HookPrepare, identity.CodeClaimsAbsent))}, []doctor.Code{doctor.CodeClaimsMissing}},
		"another Kratos":               {[]identity.Record{of("b2b", record("acme", identity.HookPrepare, identity.CodeClaimsAbsent))}, nil},
		"another Kratos is well": {[]identity.Record{
			of("b2b", record("acme", identity.HookPrepare, identity.CodeCreated)), record("acme", identity.HookPrepare, identity.CodeClaimsAbsent),
		}, []doctor.Code{doctor.CodeClaimsMissing}},
		"a candidate's fault": {[]identity.Record{shadow(record("acme", identity.HookPrepare, identity.CodeIssuerUnknown))}, nil},
		"a candidate would mend it": {[]identity.Record{
			shadow(record("acme", identity.HookPrepare, identity.CodeCreated)), record("acme", identity.HookPrepare, identity.CodeClaimsAbsent),
		}, []doctor.Code{doctor.CodeClaimsMissing}},
		"other callers": {[]identity.Record{record("acme", identity.HookGeneric, identity.CodeClaimsAbsent)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []doctor.Code
			for _, f := range doctor.Recent(c.records, []string{"kratos", "kratos-new"}) {
				got = append(got, f.Code)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
		})
	}
}

// TestWithFirst: what became of a first login is found behind many later ones, and
// only where nothing newer about it can have been left out.
func TestWithFirst(t *testing.T) {
	at := func(minute int, hook identity.Hook, id string) identity.Record {
		return identity.Record{ID: id, Hook: hook, At: time.Unix(int64(60*minute), 0)}
	}
	newest := doctor.Page{More: true, Records: []identity.Record{at(100, identity.HookLogin, "l-100"), at(90, identity.HookPrepare, "p-90")}}
	denied := []identity.Record{at(90, identity.HookPrepare, "p-90"), at(80, identity.HookLogin, "l-80"), at(50, identity.HookPrepare, "p-50"), at(20, identity.HookPrepare, "p-20")}
	created := []identity.Record{at(70, identity.HookPrepare, "p-70"), at(30, identity.HookPrepare, "p-30")}
	for name, c := range map[string]struct {
		newest doctor.Page
		first  []doctor.Page
		want   string
	}{
		"all there are":  {doctor.Page{Records: newest.Records}, []doctor.Page{{Records: denied}}, "l-100 p-90"},
		"nobody":         {doctor.Page{}, nil, ""},
		"older ones":     {newest, []doctor.Page{{Records: denied}, {Records: created}}, "l-100 p-90 p-70 p-50 p-30 p-20"},
		"some left out":  {newest, []doctor.Page{{Records: denied}, {Records: created, More: true}}, "l-100 p-90 p-70 p-50 p-30"},
		"an empty page":  {newest, []doctor.Page{{Records: denied}, {More: true}}, "l-100 p-90"},
		"none of either": {newest, []doctor.Page{{}, {}}, "l-100 p-90"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range doctor.WithFirst(c.newest, c.first) {
				got = append(got, r.ID)
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
