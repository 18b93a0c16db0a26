package admin_test

// These tests prove that proposed links are shown and decided by who has the
// admin token, and by nobody else.

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
)

const confirming = `
version: 1
provider: %s
issuer: https://%[1]s.example
claims: {source: [hook_body]}
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true, account_lookup: [{local: /traits/email, federated: claims.email}], account_linking: confirm}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
`

// confirm makes the world one of two providers whose links are to be confirmed.
func confirm(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, name := range []string{"acme", "globex"} {
		files[name+".yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, confirming, name)}
	}
	set, problems := provider.Loader{Env: env, Userstores: []string{"default"}, Now: time.Now}.Load(files)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.service.Providers = func() *provider.Set { return set }
	return w
}

// by signs somebody in by a provider.
func (w *world) by(t *testing.T, provider, subject, email string, want identity.Decision) identity.Record {
	t.Helper()
	r := generic.Request{Version: 1, Provider: provider, Subject: subject, Claims: map[string]any{"email": email, "email_verified": true}}
	out := w.service.Provision(context.Background(), r.Login(hook.Caller{Name: "tests", Providers: []string{"*"}, Instance: "main"}))
	w.drain()
	if out.Record.Decision != want {
		t.Fatalf("%s %v, want %s", out.Record.Decision, out.Record.Reasons, want)
	}
	return out.Record
}

func (w *world) proposed(t *testing.T, query string) []admin.ProposedLink {
	t.Helper()
	var all []admin.ProposedLink
	for token := ""; ; {
		page := into[admin.ProposedLinks](t, w.get(t, "/links?page_size=1&page_token="+token+query))
		all = append(all, page.Links...)
		if token = page.NextPageToken; token == "" {
			return all
		}
	}
}

func TestLinks(t *testing.T) {
	w := confirm(t)
	if got := w.proposed(t, ""); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	ann := w.by(t, "acme", "s-ann", "ann@acme.example", identity.Created).IdentityID
	bob := w.by(t, "acme", "s-bob", "bob@acme.example", identity.Created).IdentityID
	w.by(t, "acme", "s-eve", "eve@acme.example", identity.Created)
	w.by(t, "globex", "g-ann", "ann@acme.example", identity.Denied)
	w.by(t, "globex", "g-bob", "bob@acme.example", identity.Denied)

	list := w.proposed(t, "&state=proposed&userstore=default")
	if len(list) != 2 || list[0].IdentityID != ann || list[1].IdentityID != bob {
		t.Fatalf("%+v", list)
	}
	first := list[0]
	if first.State != identity.ProposalOpen || first.Provider != "globex" || first.Issuer != "https://globex.example" || first.Subject != "g-ann" ||
		first.Userstore != "default" || first.Expires.Sub(first.At) != 30*24*time.Hour || first.Match.Path != "/email" || first.Match.StoredBy != "provider:acme" ||
		strings.Contains(first.ID, "g-ann") {
		t.Errorf("%+v", first)
	}
	if i := into[admin.Identity](t, w.get(t, "/identities/"+ann)); len(i.Proposals) != 1 || i.Proposals[0] != first {
		t.Errorf("identity %+v", i.Proposals)
	}
	if got := w.proposed(t, "&userstore=partners"); len(got) != 0 {
		t.Errorf("%+v", got)
	}

	e := into[admin.Edited](t, w.decide(t, first.ID, "approve", `"2"`))
	if e.Decision != identity.Linked || e.Reasons[0].Code != identity.CodeAdminLinkApproved || len(e.Identity.Links) != 2 || e.Identity.Links[1].Evidence != "admin" ||
		e.Identity.Links[1].Match.Path != "/email" || len(e.Identity.Proposals) != 0 {
		t.Errorf("%+v", e)
	}
	w.by(t, "globex", "g-ann", "ann@acme.example", identity.Unchanged)
	e = into[admin.Edited](t, w.decide(t, list[1].ID, "reject", ""))
	if e.Decision != identity.Updated || e.Reasons[0].Code != identity.CodeAdminLinkRejected || e.Identity.Proposals[0].State != identity.ProposalRejected {
		t.Errorf("%+v", e)
	}
	if got := w.proposed(t, "&state=proposed"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := w.proposed(t, "&state=rejected"); len(got) != 1 || got[0].ID != list[1].ID || !got[0].Expires.IsZero() {
		t.Errorf("%+v", got)
	}
	if r := into[admin.Decision](t, w.get(t, "/decisions/"+e.DecisionID)); r.Hook != identity.HookAdmin || r.IdentityID != bob || r.Provider != "globex" {
		t.Errorf("record %+v", r)
	}
	// What can be edited before can be refused.
	w.edit(t, http.MethodPost, bob+"/suspend", "", "")
	got := w.decide(t, list[1].ID, "approve", "")
	if got.status != http.StatusConflict || !strings.Contains(string(got.body), `"state_refused"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func (w *world) decide(t testing.TB, id, verb, match string) reply {
	t.Helper()
	r := request(http.MethodPost, "/links/"+id+"/"+verb, "")
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	return w.ask(t, r)
}

// TestLinksConditions, and TestS60 below: nothing is linked.
func TestLinksConditions(t *testing.T) {
	w := confirm(t)
	w.by(t, "acme", "s-ann", "ann@acme.example", identity.Created)
	w.by(t, "globex", "g-ann", "ann@acme.example", identity.Denied)
	id := w.proposed(t, "")[0].ID
	for _, verb := range []string{"approve", "reject"} {
		refused(t, w.decide(t, id, verb, `"1"`), http.StatusPreconditionFailed)
		refused(t, w.decide(t, id, verb, "x"), http.StatusBadRequest)
		refused(t, w.ask(t, request(http.MethodPost, "/links/"+id+"/"+verb+"?force=1", "")), http.StatusBadRequest)
		refused(t, w.ask(t, request(http.MethodPost, "/links/"+id+"/"+verb, `{"id":"x"}`)), http.StatusBadRequest)
		for _, other := range []string{id[:len(id)-1] + "!", id[:36], "nobody", id + ".x", strings.Replace(id, id[:8], "00000000", 1)} {
			refused(t, w.decide(t, other, verb, ""), http.StatusNotFound)
		}
	}
	for _, query := range []string{"state=approved", "state=", "page_size=0", "page_token=x", "issuer=x"} {
		refused(t, w.get(t, "/links?"+query), http.StatusBadRequest)
	}
	if got := w.proposed(t, "&state=proposed"); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	w.store.Close()
	refused(t, w.get(t, "/links"), http.StatusServiceUnavailable)
	refused(t, w.decide(t, id, "approve", ""), http.StatusServiceUnavailable)
}

func TestS60_OnlyWithTheAdminToken(t *testing.T) {
	w := confirm(t)
	ann := w.by(t, "acme", "s-ann", "ann@acme.example", identity.Created).IdentityID
	w.by(t, "globex", "g-ann", "ann@acme.example", identity.Denied)
	id := w.proposed(t, "")[0].ID
	for name, credential := range map[string]http.Header{
		"none":            {},
		"empty":           {"Authorization": {"Bearer "}},
		"another token":   {"Authorization": {"Bearer " + token + "x"}},
		"as a password":   {"Authorization": {"Basic " + token}},
		"as a hook's key": {"X-Api-Key": {token}},
		"in a cookie":     {"Cookie": {"token=" + token}},
	} {
		for _, verb := range []string{"approve", "reject"} {
			r := request(http.MethodPost, "/links/"+id+"/"+verb, "")
			r.Header = credential.Clone()
			if got := w.ask(t, r); got.status != http.StatusUnauthorized {
				t.Errorf("%s: %s: %d %s", name, verb, got.status, got.body)
			}
		}
	}
	if got := serve(w, request(http.MethodGet, "/links/"+id+"/approve", "")); got.status == http.StatusOK { // by following an address
		t.Error("a GET approves")
	}
	if i := into[admin.Identity](t, w.get(t, "/identities/"+ann)); len(i.Links) != 1 || i.Proposals[0].State != identity.ProposalOpen {
		t.Errorf("%+v", i)
	}
}
