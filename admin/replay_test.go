package admin_test

// These tests prove that a replay is asked and answered as its document says,
// that it changes nothing and shows no value, and that what is no folder of
// providers' files is refused with its place.

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/replay"
)

// zipped is an archive of files.
func zipped(t testing.TB, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (w *world) replay(t testing.TB, query, body string) reply {
	t.Helper()
	r := request(http.MethodPost, "/replay?"+query, body)
	r.Header.Set("Content-Type", "application/zip")
	return w.ask(t, r)
}

// withClaims is a world that keeps claims, with people in it.
func withClaims(t testing.TB, people ...string) (*world, string) {
	t.Helper()
	openapi3filter.RegisterBodyDecoder(admin.TypeLines, openapi3filter.PlainBodyDecoder)
	w := newWorld(t)
	keeper, err := claimlog.New(identity.ClaimsFull, []claimlog.Key{{ID: "1", Secret: bytes.Repeat([]byte{1}, claimlog.KeySize)}})
	if err != nil {
		t.Fatal(err)
	}
	w.service.ClaimLog = keeper
	for _, name := range people {
		w.login(t, generic.Request{Subject: "s-" + name, Claims: person(name, nil)})
	}
	acme, err := os.ReadFile("testdata/providers/acme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return w, string(acme)
}

// lines decodes a stream, and holds every line to the document.
func lines(t testing.TB, r reply) (found []replay.Difference, end *replay.Summary) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	for text := range bytes.Lines(r.body) {
		var plain any
		var l admin.ReplayLine
		if json.Unmarshal(text, &plain) != nil || json.Unmarshal(text, &l) != nil {
			t.Fatalf("no line: %s", text)
		}
		if err := doc.Components.Schemas["ReplayLine"].Value.VisitJSON(plain); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		switch {
		case end != nil:
			t.Errorf("after the end: %s", text)
		case l.Difference != nil:
			found = append(found, *l.Difference)
		case l.End != nil:
			end = l.End
		}
	}
	if end == nil {
		t.Fatal("there is no end")
	}
	return found, end
}

const since = "since=2026-01-01T00:00:00Z"

func TestReplay(t *testing.T) {
	w, acme := withClaims(t, "ann", "bob", "cem")
	state := contents(t, w)
	body := zipped(t, map[string]string{"acme.yaml": strings.Replace(acme, "[engineering, staff]", "[staff]", 1), "acme_test.yaml": "no: provider", "README": "x"})
	reply := w.replay(t, since, body)
	found, end := lines(t, reply)
	if len(found) != 6 || end.Replayed != 3 || end.Changed != 3 || end.Kinds[replay.Groups] != 3 || fmt.Sprint(found[0].Lost) != "[engineering]" {
		t.Errorf("%+v %+v", found, end)
	}
	for _, secret := range []string{"ann@", "s-ann", `"ann"`} {
		if strings.Contains(string(reply.body), secret) {
			t.Errorf("the reply holds %s", secret)
		}
	}
	found, end = lines(t, w.replay(t, since+"&differences=2&all=true", body))
	if len(found) != 2 || end.Differences != 6 {
		t.Errorf("%d named, %+v", len(found), end)
	}
	if w.drain(); !bytes.Equal(state, contents(t, w)) {
		t.Error("a replay wrote to the store")
	}
}

func TestReplayRefusals(t *testing.T) {
	w, acme := withClaims(t)
	good := zipped(t, map[string]string{"acme.yaml": acme})
	for name, c := range map[string]struct {
		query, body string
		status      int
	}{
		"no time":          {"", good, http.StatusBadRequest},
		"another time":     {"since=24h", good, http.StatusBadRequest},
		"another word":     {since + "&all=yes", good, http.StatusBadRequest},
		"too many":         {since + "&differences=100001", good, http.StatusBadRequest},
		"less than none":   {since + "&differences=-1", good, http.StatusBadRequest},
		"unknown":          {since + "&show_values=true", good, http.StatusBadRequest},
		"nothing":          {since, "", http.StatusBadRequest},
		"no archive":       {since, acme, http.StatusBadRequest},
		"too long":         {since, strings.Repeat("x", admin.MaxCandidate+1), http.StatusRequestEntityTooLarge},
		"too long in fact": {since, zipped(t, map[string]string{"a.yaml": strings.Repeat("x", admin.MaxCandidate), "b.yaml": "x"}), http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) { refused(t, w.replay(t, c.query, c.body), c.status) })
	}
	got := w.replay(t, since, zipped(t, map[string]string{"acme.yaml": strings.Replace(acme, "claims.hd ==", "claims.hd =", 1), "b.yaml": "version: 1"}))
	var problems admin.CandidateProblems
	if got.status != http.StatusUnprocessableEntity || json.Unmarshal(got.body, &problems) != nil || problems.Problems[0].File != "acme.yaml" || problems.Problems[0].Line != 8 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestOneReplayAtATime: a second one is refused while the first is under way, and
// not any more after it.
func TestOneReplayAtATime(t *testing.T) {
	w, acme := withClaims(t, "ann")
	body := zipped(t, map[string]string{"acme.yaml": acme})
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	compile := w.api.LoadProviders
	w.api.LoadProviders = func(f fs.FS) (*provider.Set, []provider.Problem) {
		close(began)
		<-goOn
		return compile(f)
	}
	go func() {
		defer close(ended)
		if got := w.replay(t, since, body); got.status != http.StatusOK {
			t.Errorf("the first: %d %s", got.status, got.body)
		}
	}()
	<-began
	refused(t, w.replay(t, since, body), http.StatusConflict)
	close(goOn)
	<-ended
	w.api.LoadProviders = compile
	if _, end := lines(t, w.replay(t, since, body)); end.Replayed != 1 {
		t.Errorf("after it: %+v", end)
	}
}

// FuzzReplay: whatever is sent as a folder is replayed or refused.
func FuzzReplay(f *testing.F) {
	w, acme := withClaims(f, "ann")
	for _, files := range []map[string]string{
		{}, {"acme.yaml": acme}, {"../acme.yaml": acme}, {"a/b.yaml": acme, "a": ""}, {"acme.yaml": "{"}, {"/x.json": "{}", "x.yaml/": ""},
	} {
		f.Add([]byte(zipped(f, files)))
	}
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := request(http.MethodPost, "/replay?"+since, string(body))
		switch got := serve(w, r); got.status {
		case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		default:
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}
