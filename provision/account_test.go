// These tests prove what Kratos's Admin API changes about a decision, with a
// server that answers as Kratos does (test/kratos holds a real one to it): what
// it says names a subject and creates, and never syncs; what it does not say
// drops nothing; and it is asked once.
package provision_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jithook/jithook/identity"
	adminapi "github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// globex is a second provider.
var globex = replace(replace(acme, "provider: acme", "provider: globex"), "issuer: https://acme.example", "issuer: https://globex.example")

// adminAPI answers for one Kratos identity.
type adminAPI struct {
	mu      sync.Mutex
	account map[string]any // nil: there is none
	holders []string       // who signs in with an e-mail address
	asked   []string       // method and path, in their order
}

func (a *adminAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.URL.RawQuery))
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Query().Has("credentials_identifier"):
		list := []map[string]any{}
		for _, id := range a.holders {
			list = append(list, map[string]any{"id": id, "schema_id": "s", "schema_url": "u", "traits": map[string]any{}})
		}
		json.NewEncoder(w).Encode(list)
	case r.URL.Path == "/admin/identities":
		fmt.Fprint(w, "[]")
	case a.account == nil:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"code":404}}`)
	default:
		json.NewEncoder(w).Encode(a.account)
	}
}

// holds gives h an Admin API whose identity k-1 has these credentials.
func (h *house) holds(identifiers ...string) *adminAPI {
	h.t.Helper()
	a := &adminAPI{account: map[string]any{
		"id": "k-1", "schema_id": "s", "schema_url": "u", "traits": map[string]any{}, "state": "active",
		"credentials": map[string]any{"oidc": map[string]any{"identifiers": identifiers}},
	}}
	server := httptest.NewServer(a)
	h.t.Cleanup(server.Close)
	admin, err := adminapi.NewAdmin(server.URL, "")
	if err != nil {
		h.t.Fatal(err)
	}
	h.Kratos = map[string]*adminapi.Admin{"main": admin}
	return a
}

// removed are the identifiers that Kratos was told to remove.
func (a *adminAPI) removed() []string {
	var found []string
	for _, call := range a.asked {
		if _, query, ok := strings.Cut(call, "/credentials/oidc identifier="); ok {
			found = append(found, strings.ReplaceAll(query, "%3A", ":"))
		}
	}
	slices.Sort(found)
	return found
}

// signIn is a login of k-1 by a provider, with nothing in Kratos's metadata.
func signIn(provider string) identity.Login {
	l := ofK1(identity.HookLogin)
	l.Provider = provider
	return l
}

func ofK1(hook identity.Hook) identity.Login {
	return identity.Login{
		Hook: hook, Caller: "kratos", Providers: []string{"*"},
		External: identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-1"},
	}
}

// link adds a link of globex's g-1 to the only identity.
func (h *house) link(evidence string, edit ...func(*identity.Identity)) {
	h.t.Helper()
	i := h.only()
	i.Links = append(i.Links, identity.Link{Provider: "globex", Issuer: "https://globex.example", Subject: "g-1", LinkedAt: h.now, Evidence: evidence})
	i.Keys = append(i.Keys, identity.FedKey("https://globex.example", "g-1"))
	for _, e := range edit {
		e(&i)
	}
	slices.Sort(i.Keys)
	i.Revision++
	if err := h.store.Swap(h.t.Context(), i, identity.Record{}); err != nil {
		h.t.Fatal(err)
	}
}

// TestLinksThatKratosDropped: a link goes only on Kratos's clear word, if it
// rests on Kratos's word, and if no other Kratos may still have it.
func TestLinksThatKratosDropped(t *testing.T) {
	second := identity.ExternalID{System: identity.SystemKratos, Instance: "second", ID: "k-9"}
	for name, c := range map[string]struct {
		evidence string
		edit     func(*identity.Identity)
		login    func(*identity.Login)
		account  func(map[string]any)
		stays    bool
	}{
		"dropped":                          {evidence: identity.SourceKratosAdmin},
		"dropped, at the settings":         {evidence: identity.SourceKratosMetadata, login: func(l *identity.Login) { *l = ofK1(identity.HookLinks) }},
		"Kratos does not show credentials": {evidence: identity.SourceKratosAdmin, account: func(a map[string]any) { delete(a, "credentials") }, stays: true},
		"Kratos still has it":              {evidence: identity.SourceKratosAdmin, account: func(a map[string]any) { identifiers(a, "acme:s-1", "globex:g-1") }, stays: true},
		"the generic contract made it":     {evidence: identity.SourceHookBody, stays: true},
		"the caller may not speak for it":  {evidence: identity.SourceKratosAdmin, login: func(l *identity.Login) { l.Providers = []string{"acme"} }, stays: true},
		"another Kratos has the person too": {evidence: identity.SourceKratosAdmin, edit: func(i *identity.Identity) {
			i.ExternalIDs = append(i.ExternalIDs, second)
			i.Keys = append(i.Keys, identity.ExtKey(second))
		}, stays: true},
		"another identity's answer": {evidence: identity.SourceKratosAdmin, account: func(a map[string]any) { a["id"] = "k-2" }, stays: true},
		"by password":               {evidence: identity.SourceKratosAdmin, login: func(l *identity.Login) { l.Provider = "" }, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, acme, globex)
			h.first("s-1", "k-1")
			h.link(c.evidence, append([]func(*identity.Identity){}, optional(c.edit)...)...)
			api := h.holds("acme:s-1")
			l := signIn("acme")
			if c.login != nil {
				c.login(&l)
			}
			if c.account != nil {
				c.account(api.account)
			}
			out := h.Provision(t.Context(), l)
			i := h.only()
			stays := i.Link("https://globex.example", "g-1") >= 0
			holds := slices.Contains(i.Keys, identity.FedKey("https://globex.example", "g-1"))
			if !out.Record.Decision.Allowed() || stays != c.stays || holds != c.stays || i.Link("https://acme.example", "s-1") < 0 {
				t.Errorf("%s %v; links %+v, key held: %v", out.Record.Decision, out.Record.Reasons, i.Links, holds)
			}
			if len(api.removed()) > 0 {
				t.Errorf("removed %v in Kratos", api.removed())
			}
		})
	}
}

func optional[T any](v func(T)) []func(T) {
	if v == nil {
		return nil
	}
	return []func(T){v}
}

func identifiers(account map[string]any, list ...string) {
	account["credentials"] = map[string]any{"oidc": map[string]any{"identifiers": list}}
}

// keep has an account keep the claims with which s-1 registered.
func keep(account, claims map[string]any, edit ...func(map[string]any)) {
	ours := map[string]any{"provider": "acme", "issuer": "https://acme.example", "subject": "s-1", "claims": claims}
	for _, e := range edit {
		e(ours)
	}
	account["metadata_admin"] = map[string]any{"jithook": ours}
}

// TestS54_KeptClaims: what Kratos keeps of the registration creates whom jithook
// does not know, and is never applied again.
func TestS54_KeptClaims(t *testing.T) {
	h := open(t, acme, globex)
	api := h.holds("acme:s-1")
	keep(api.account, ann())
	out := h.Provision(t.Context(), signIn("acme"))
	want(t, out, identity.Created)
	if i := h.only(); out.Record.Source != identity.SourceKratosAdmin || i.State != identity.StateActive || i.ExternalIDs[0].ID != "k-1" {
		t.Fatalf("from %s: %+v", out.Record.Source, i)
	}
	keep(api.account, ann(with("name", "Ann Other"), with("groups", []any{"eng", "staff"})))
	want(t, h.Provision(t.Context(), signIn("acme")), identity.Unchanged, identity.CodeUnchanged, identity.CodeClaimsStale)
	if i := h.only(); i.Traits["name"] != "Ann Example" || len(i.Groups) != 1 {
		t.Errorf("applied: %+v", i)
	}
	for name, edit := range map[string]func(map[string]any){
		"of another provider": func(m map[string]any) { m["provider"] = "globex" },
		"of another subject":  func(m map[string]any) { m["subject"] = "s-9" },
		"without a subject":   func(m map[string]any) { delete(m, "subject") },
	} {
		h := open(t, acme, globex)
		api := h.holds("acme:s-1")
		keep(api.account, ann(), edit)
		want(t, h.Provision(t.Context(), signIn("acme")), identity.Unchanged, identity.CodeIdentityUnknown, identity.CodeClaimsAbsent)
		if n := len(h.all()); n != 0 {
			t.Errorf("%s: %d identities", name, n)
		}
	}
}

// TestSubjectOfTheLogin: Kratos's identifiers say whose login it is, where its
// metadata does not, and contradict metadata that is wrong.
func TestSubjectOfTheLogin(t *testing.T) {
	two := replace(globex, "issuer: https://globex.example", `issuer: ["https://globex.example", "https://other.example"]`)
	for name, c := range map[string]struct {
		second  string // the provider's file
		holds   []string
		login   identity.Login
		want    identity.Decision
		codes   []identity.Code
		removed []string
	}{
		"S49 of the second provider": {globex, []string{"acme:s-1", "globex:g-1"}, signIn("globex"),
			identity.Unchanged, []identity.Code{identity.CodeUnchanged, identity.CodeClaimsAbsent}, nil},
		"which of two issuers nobody says": {two, []string{"acme:s-1", "globex:g-1"}, signIn("globex"),
			identity.Unchanged, []identity.Code{identity.CodeUnchanged, identity.CodeClaimsAbsent}, nil},
		"S50 a subject that no policy saw": {globex, []string{"acme:s-1", "globex:g-9"}, signIn("globex"),
			identity.Denied, []identity.Code{identity.CodeLinkStale}, nil},
		"metadata of somebody else": {globex, []string{"acme:s-9"}, kratos(identity.HookLogin, "k-1", "s-1", nil),
			identity.Denied, []identity.Code{identity.CodeClaimsConflict}, nil},
		"a second subject of one provider": {globex, []string{"acme:s-1", "acme:s-9", "globex:g-1"}, kratos(identity.HookLogin, "k-1", "s-1", nil),
			identity.Denied, []identity.Code{identity.CodeSubjectUndeterminable}, []string{"acme:s-9"}},
		"the mark, with a password": {globex, []string{"acme:s-1", "globex:g-1", "globex:g-9"}, linking(signIn("")),
			identity.Denied, []identity.Code{identity.CodeLinkingDisabled}, []string{"globex:g-9"}},
		"the mark, and a provider without a file": {globex, []string{"acme:s-1", "initech:i-1", "globex:g-9"}, linking(signIn("initech")),
			identity.Denied, []identity.Code{identity.CodeUnknownProvider}, []string{"globex:g-9"}},
		"the mark, and more than is removed at once": {globex, []string{"acme:s-1", "globex:a", "globex:b", "globex:c", "globex:d", "globex:e"}, linking(signIn("acme")),
			identity.Denied, []identity.Code{identity.CodeLinkingDisabled}, []string{"globex:a", "globex:b", "globex:c", "globex:d"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, acme, c.second)
			h.first("s-1", "k-1")
			h.link(identity.SourceKratosAdmin)
			api := h.holds(c.holds...)
			want(t, h.Provision(t.Context(), c.login), c.want, c.codes...)
			if got := api.removed(); !slices.Equal(got, c.removed) {
				t.Errorf("removed %v, want %v", got, c.removed)
			}
		})
	}
}

// TestMetadataOfALostCredential: the metadata is still that of the subject that was
// disconnected, and the file asks for nothing else.
func TestMetadataOfALostCredential(t *testing.T) {
	only := replace(acme, "issuer: https://acme.example", "issuer: https://acme.example\nclaims: {source: [kratos_metadata]}")
	h := open(t, only, globex)
	h.first("s-1", "k-1")
	h.holds("acme:s-9")
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", nil)), identity.Denied, identity.CodeClaimsConflict)
	h.holds("acme:s-1")
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", nil)), identity.Unchanged)
}

func linking(l identity.Login) identity.Login {
	l.Linking = true
	return l
}

// TestOfSomebodyUnknown: whom jithook does not know has no links to compare with.
// What Kratos connected goes only where it can be nothing else.
func TestOfSomebodyUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		holds   []string
		kept    map[string]any // what Kratos keeps of s-1's registration
		login   identity.Login
		code    identity.Code // "" if they pass
		removed []string
	}{
		"two subjects of one provider": {[]string{"acme:s-1", "acme:s-2"}, nil, signIn("acme"), "", nil},
		"two, and claims of the first": {[]string{"acme:s-1", "acme:s-2"}, ann(), signIn("acme"), "", nil},
		"the mark, one beside":         {[]string{"acme:s-1", "globex:g-1"}, nil, linking(signIn("acme")), identity.CodeLinkingDisabled, []string{"globex:g-1"}},
		"the mark, two beside":         {[]string{"acme:s-1", "globex:g-1", "globex:g-2"}, nil, linking(signIn("acme")), identity.CodeLinkingDisabled, nil},
		"the mark, a password and one": {[]string{"globex:g-1"}, nil, linking(signIn("")), identity.CodeLinkingDisabled, []string{"globex:g-1"}},
		"the mark, of one provider":    {[]string{"acme:s-1", "acme:s-2"}, nil, linking(signIn("acme")), identity.CodeLinkingDisabled, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, acme, globex)
			api := h.holds(c.holds...)
			if c.kept != nil {
				keep(api.account, c.kept)
			}
			out := h.Provision(t.Context(), c.login)
			if n := len(h.all()); n != 0 {
				t.Errorf("%d identities were made", n)
			}
			if c.code == "" {
				want(t, out, identity.Unchanged, identity.CodeIdentityUnknown, identity.CodeSubjectUndeterminable)
			} else {
				want(t, out, identity.Denied, c.code)
			}
			if got := api.removed(); !slices.Equal(got, c.removed) {
				t.Errorf("removed %v, want %v", got, c.removed)
			}
		})
	}
}

// TestKratosIsAskedOnce, however often the login is planned.
func TestKratosIsAskedOnce(t *testing.T) {
	h := open(t, acme, globex)
	h.first("s-1", "k-1")
	h.link(identity.SourceKratosAdmin)
	api := h.holds("acme:s-1")
	h.store.fail = failing("swap", 2, store.ErrConflict)
	want(t, h.Provision(t.Context(), signIn("acme")), identity.Updated, identity.CodeUpdated, identity.CodeClaimsAbsent)
	if got := api.asked; !slices.Equal(got, []string{"GET /admin/identities/k-1"}) {
		t.Errorf("asked %v", got)
	}
}

// TestKratosLearnsOfTheBar: with the write itself, and only where it has an
// Admin API.
func TestKratosLearnsOfTheBar(t *testing.T) {
	h := open(t, acme, globex)
	h.holds("acme:s-1")
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann())), identity.Created)
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", nil)), identity.Activated)
	if i := h.only(); len(i.Outbox) != 0 {
		t.Fatalf("a first login arms %+v", i.Outbox)
	}
	for _, e := range []struct {
		name string
		edit func()
	}{
		{"suspend", func() { h.admin(provision.Suspend(), identity.Updated) }},
		{"activate", func() { h.admin(provision.Activate(), identity.Activated) }},
	} {
		e.edit()
		i := h.only()
		if len(i.Outbox) != 1 || i.Outbox[0].Target != "kratos:main" || i.Outbox[0].Revision != i.Revision {
			t.Errorf("%s: outbox %+v at revision %d", e.name, i.Outbox, i.Revision)
		}
	}
	h = open(t)
	h.first("s-1", "k-1")
	h.admin(provision.Suspend(), identity.Updated)
	if i := h.only(); len(i.Outbox) != 0 {
		t.Errorf("without an Admin API: outbox %+v", i.Outbox)
	}
}
