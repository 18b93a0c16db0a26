package admin_test

// The routes below /store do what the document says; their streams outlast the
// server's time-outs; an import checks everything before it writes anything.

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
)

// newStoreWorld is newWorld whose document's validator reads lines of JSON.
func newStoreWorld(t *testing.T) *world {
	t.Helper()
	openapi3filter.RegisterBodyDecoder(admin.TypeLines, openapi3filter.PlainBodyDecoder)
	return newWorld(t)
}

func (w *world) post(t *testing.T, path, media, body string) reply {
	t.Helper()
	r := request(http.MethodPost, path, body)
	r.Header.Set("Content-Type", media)
	return w.ask(t, r)
}

func (w *world) people(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		w.login(t, generic.Request{Subject: n, Claims: person(n, map[string]any{"level": 3.0}), ExternalID: "x-" + n})
	}
}

// exported is an export without its header and its end.
func (w *world) exported(t *testing.T, query string) string {
	t.Helper()
	got := w.get(t, "/store/export"+query)
	all := strings.SplitAfter(string(got.body), "\n")
	if got.status != http.StatusOK || got.header.Get("Content-Type") != admin.TypeLines || len(all) < 3 ||
		all[0] != "{\"jithook_export\":1}\n" || !strings.HasPrefix(all[len(all)-2], `{"end":{`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	return strings.Join(all[1:len(all)-2], "")
}

func TestStoreExportAndImport(t *testing.T) {
	source, target := newStoreWorld(t), newStoreWorld(t)
	source.people(t, "ann", "bob")
	if h := source.get(t, "/store/export").header; h.Get(admin.HeaderIdentities) != "2" || h.Get(admin.HeaderDecisions) != "2" {
		t.Errorf("headers %v, want two of each", h)
	}
	text := source.exported(t, "")
	for _, want := range []string{"imported", "same"} {
		got := into[admin.Imported](t, target.post(t, "/store/import", admin.TypeLines, text))
		if len(got.Lines) != 4 {
			t.Fatalf("%d lines, want 4", len(got.Lines))
		}
		for n, l := range got.Lines {
			if l.Line != n+1 || string(l.Outcome) != want || !strings.Contains(strings.Split(text, "\n")[n], l.ID) || l.ID == "" {
				t.Errorf("line %+v, want line %d %s", l, n+1, want)
			}
		}
	}
	if again := target.exported(t, ""); again != text {
		t.Errorf("first\n%s\nsecond\n%s", text, again)
	}
	// Behind the first identity, and behind the first record.
	ids := into[admin.Identities](t, source.get(t, "/identities")).Identities
	if got, want := source.exported(t, "?after_identity="+ids[0].ID), text[strings.Index(text, "\n")+1:]; got != want {
		t.Errorf("behind an identity\n%s\nwant\n%s", got, want)
	}
	records := into[admin.Decisions](t, source.get(t, "/decisions")).Decisions
	if got := source.exported(t, "?after_decision="+records[0].ID); strings.Contains(got, `{"identity"`) || !strings.HasSuffix(text, got) || got == "" {
		t.Errorf("behind a record\n%s", got)
	}
	refused(t, source.get(t, "/store/export?from=x"), http.StatusBadRequest)
	refused(t, source.get(t, "/store/export?after_identity="), http.StatusBadRequest)
}

func TestStoreImportRefuses(t *testing.T) {
	source, target := newStoreWorld(t), newStoreWorld(t)
	source.people(t, "ann", "bob")
	text := source.exported(t, "")
	ann, rest, _ := strings.Cut(text, "\n")
	for name, c := range map[string]struct {
		body   string
		status int
		place  string
	}{
		"another's key":  {ann + "\n" + strings.Replace(rest, `"subject":"bob"`, `"subject":"eve"`, 1), 400, "line 2"},
		"null":           {ann + "\n" + strings.Replace(rest, `"groups":[`, `"groups":null,"x":[`, 1), 400, "line 2"},
		"not the format": {ann + "\n{}\n", 400, "line 2"},
		"header":         {`{"jithook_export":1}` + "\n" + text, 400, "line 1"},
		"end":            {text + `{"end":{"identities":2,"decisions":2}}` + "\n", 400, "line 5"},
		"an empty line":  {ann + "\n\n", 400, "line 2"},
		"many lines":     {strings.Repeat(ann+"\n", admin.MaxImportLines+1), 400, ""},
		"too long":       {strings.Repeat(" ", admin.MaxImport+1), 413, ""},
	} {
		p := refused(t, target.post(t, "/store/import", admin.TypeLines, c.body), c.status)
		if p.Place != c.place || strings.Contains(p.Detail, "eve") {
			t.Errorf("%s: place %q, %s, want %q", name, p.Place, p.Detail, c.place)
		}
	}
	if got := target.exported(t, ""); got != "" {
		t.Errorf("a refused request wrote\n%s", got)
	}
	// What is there stays: the same id with other content, the same subject.
	other := newStoreWorld(t)
	other.people(t, "ann")
	before := other.exported(t, "")
	got := into[admin.Imported](t, other.post(t, "/store/import", admin.TypeLines, text))
	if got.Lines[0].Outcome != "taken" || got.Lines[1].Outcome != "imported" {
		t.Errorf("outcomes %+v, want ann's key taken and bob imported", got.Lines)
	}
	changed := strings.Replace(ann, `"ann"`, `"Ann"`, 1)
	into[admin.Imported](t, target.post(t, "/store/import", admin.TypeLines, ann))
	if got := into[admin.Imported](t, target.post(t, "/store/import", admin.TypeLines, changed)); got.Lines[0].Outcome != "different" {
		t.Errorf("outcome %+v, want different", got.Lines)
	}
	if after := other.exported(t, ""); !strings.Contains(after, strings.SplitAfter(before, "\n")[0]) {
		t.Errorf("ann was\n%s\nand is\n%s", before, after)
	}
	other.store.Close()
	p := refused(t, other.post(t, "/store/import", admin.TypeLines, text), http.StatusServiceUnavailable)
	if !strings.Contains(p.Detail, "try again") {
		t.Errorf("detail %q", p.Detail)
	}
	refused(t, other.get(t, "/store/export"), http.StatusServiceUnavailable)
	refused(t, other.get(t, "/store/backup"), http.StatusServiceUnavailable)
	refused(t, other.post(t, "/store/verify", "application/json", ""), http.StatusServiceUnavailable)
}

func TestStoreVerify(t *testing.T) {
	w := newStoreWorld(t)
	w.people(t, "ann", "bob")
	all := func(query string) (found []store.Finding) {
		t.Helper()
		for token := ""; ; {
			got := into[admin.Inspection](t, w.post(t, "/store/verify?page_token="+token+query, "application/json", ""))
			found = append(found, got.Findings...)
			if token = got.NextPageToken; token == "" {
				return found
			}
		}
	}
	if found := all(""); len(found) != 0 {
		t.Errorf("findings %v, want none", found)
	}
	w.reopen(t, func(tx *bbolt.Tx) error {
		key, _ := tx.Bucket([]byte("keys")).Cursor().First()
		return tx.Bucket([]byte("keys")).Delete(key)
	})
	for _, c := range []struct {
		query  string
		mended bool
		n      int
	}{{"", false, 1}, {"&mend=false", false, 1}, {"&mend=true", true, 1}, {"&mend=true", false, 0}} {
		found := all(c.query)
		if len(found) != c.n || c.n == 1 && (found[0].Code != store.FindingKeyIndex || found[0].Mended != c.mended) {
			t.Errorf("%q: findings %v", c.query, found)
		}
	}
	if !strings.Contains(w.log.String(), "finding=key_index") {
		t.Errorf("the log does not say what was found: %s", w.log)
	}
	refused(t, w.post(t, "/store/verify?mend=maybe", "application/json", ""), http.StatusBadRequest)
	refused(t, w.post(t, "/store/verify?page_token=x", "application/json", ""), http.StatusBadRequest)
}

// reopen changes the file behind the store's back.
func (w *world) reopen(t *testing.T, change func(*bbolt.Tx) error) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(w.store.Close())
	db, err := bbolt.Open(w.path, 0o600, nil)
	check(err)
	check(db.Update(change))
	check(db.Close())
	s, err := bolt.Open(w.path, bolt.Options{})
	check(err)
	t.Cleanup(func() { s.Close() })
	w.store, w.api.Store, w.api.Userstore = s, s, directory.New(s, nil)
}

// withoutBackup is a store that makes no backups of itself.
type withoutBackup struct{ store.Store }

func TestStoreBackup(t *testing.T) {
	w := newStoreWorld(t)
	w.people(t, "ann")
	got := w.get(t, "/store/backup")
	if got.status != http.StatusOK || got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) {
		t.Fatalf("%d, %d bytes, Content-Length %s", got.status, len(got.body), got.header.Get("Content-Length"))
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, got.body, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if page, err := s.List(t.Context(), store.Query{}); err != nil || len(page.Identities) != 1 {
		t.Errorf("the copy holds %d identities, %v", len(page.Identities), err)
	}
	w.api.Userstore = directory.New(withoutBackup{w.store}, nil)
	if p := refused(t, w.get(t, "/store/backup"), http.StatusNotImplemented); !strings.Contains(p.Detail, "mongodump") {
		t.Errorf("detail %q", p.Detail)
	}
	// Nor does one without an Inspector stop a verification.
	into[admin.Inspection](t, w.post(t, "/store/verify", "application/json", ""))
}

// A stream goes on for as long as it is read, whatever the server allows other
// requests, and nobody gets one without the token.
func TestStoreStreamsOutlastTimeouts(t *testing.T) {
	const allowed = 200 * time.Millisecond
	w := newStoreWorld(t)
	var records []identity.Record
	for n := range 8000 { // more than the buffers in between take
		records = append(records, identity.Record{ID: fmt.Sprintf("%08d", n), At: time.Now(), FlowID: strings.Repeat("x", 4096)})
	}
	if err := w.store.Record(t.Context(), records, nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: w.api.Handler(), ReadTimeout: allowed, WriteTimeout: allowed}
	go server.Serve(l)
	defer server.Close()
	for _, path := range []string{"/store/backup", "/store/export"} {
		r := request(http.MethodGet, path, "")
		r.RequestURI, r.URL.Host = "", l.Addr().String()
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(got.Body, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		<-time.After(4 * allowed) // the time-outs pass while the reader is slow
		n, err := io.Copy(io.Discard, got.Body)
		if err != nil || n < 8000*4096 || got.ContentLength >= 0 && n+1 != got.ContentLength {
			t.Errorf("%s: %d bytes of %d, %v", path, n, got.ContentLength, err)
		}
		got.Body.Close()
		r.Header.Del("Authorization")
		if got, err := http.DefaultClient.Do(r); err != nil || got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without the token: %v, %v", path, got, err)
		}
	}
	if w.log.Len() > 0 {
		t.Errorf("log: %s", w.log)
	}
}
