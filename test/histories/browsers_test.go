//go:build unix

package histories_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
)

// browsers stands in for a Kratos: which account a credential opens, whom it asks
// for a proof, and what its Admin API says of that. test/kratos holds a real one
// to the same.
type browsers struct {
	mu       sync.Mutex
	accounts []*account
	made     int
	asked    map[string]*account // whose proof a credential waits for
	api      *kratos.Admin
}

// account is an identity of Kratos's.
type account struct {
	id, mail    string
	credentials []string // provider:subject
	offer       identity.Offer
	known       string
}

func newBrowsers(t testing.TB) *browsers {
	k := &browsers{asked: map[string]*account{}}
	srv := httptest.NewServer(k)
	t.Cleanup(srv.Close)
	api, err := kratos.NewAdmin(srv.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	k.api = api
	return k
}

// reset is a Kratos without anybody.
func (k *browsers) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.accounts, k.asked = nil, map[string]*account{}
}

func (k *browsers) find(is func(*account) bool) *account {
	if at := slices.IndexFunc(k.accounts, is); at >= 0 {
		return k.accounts[at]
	}
	return nil
}

func (k *browsers) by(identifier string) *account {
	return k.find(func(a *account) bool {
		return slices.Contains(a.credentials, identifier) || a.mail != "" && strings.EqualFold(a.mail, identifier)
	})
}

func (k *browsers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/admin/identities/"), "/")
	one := k.find(func(a *account) bool { return a.id == id })
	switch {
	case r.URL.Path == "/admin/identities":
		list := []any{}
		if !r.URL.Query().Has("credentials_identifier") && !r.URL.Query().Has("ids") {
			for _, a := range k.accounts {
				list = append(list, a.json())
			}
		}
		one := k.by(r.URL.Query().Get("credentials_identifier"))
		if r.URL.Query().Has("ids") {
			one = k.find(func(a *account) bool { return a.id == r.URL.Query().Get("ids") })
		}
		if one != nil {
			list = append(list, one.json())
		}
		_ = json.NewEncoder(w).Encode(list)
	case one == nil:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"code":404}}`)
	case r.Method == http.MethodDelete && strings.HasPrefix(rest, "credentials/"):
		gone := r.URL.Query().Get("identifier")
		one.credentials = slices.DeleteFunc(one.credentials, func(c string) bool { return c == gone })
		w.WriteHeader(http.StatusNoContent)
	default:
		_ = json.NewEncoder(w).Encode(one.json())
	}
}

func (a *account) json() map[string]any {
	return map[string]any{
		"id": a.id, "schema_id": "s", "schema_url": "u", "traits": map[string]any{"email": a.mail}, "state": "active",
		"credentials": map[string]any{"oidc": map[string]any{"identifiers": slices.Clone(a.credentials)}},
	}
}

// browse is somebody at Kratos's login page, who comes back from a provider.
func (e *estate) browse(rt *rapid.T) {
	l := drawLogin(rt, e, identity.HookPrepare)
	offer := l.Offers[0]
	credential := offer.Provider + ":" + offer.Subject
	if a := e.kratos.by(credential); a != nil {
		l, by := ofAccount(a, credential)
		e.signsIn(rt, l, by)
		return
	}
	out := e.signsIn(rt, l, offer)
	if !out.Record.Decision.Allowed() {
		return
	}
	mail, _ := out.Identity.Traits["email"].(string)
	if a := e.kratos.by(mail); mail != "" && a != nil {
		e.kratos.asked[credential] = a
		return
	}
	if out.Unproved {
		rt.Fatalf("left to Kratos's proof, which asks nobody for one")
	}
	e.kratos.made++
	a := &account{id: fmt.Sprint("k-", e.kratos.made), mail: mail, credentials: []string{credential}, offer: offer, known: out.Identity.ID}
	e.kratos.accounts = append(e.kratos.accounts, a)
	if rapid.IntRange(0, 3).Draw(rt, "commit") > 0 {
		l.Hook, l.External.ID, l.Answers = identity.HookCommit, a.id, nil
		e.commits(rt, l)
	}
}

// account draws one of Kratos's.
func (e *estate) account(rt *rapid.T) *account {
	if len(e.kratos.accounts) == 0 {
		rt.Skip("Kratos knows nobody")
	}
	return e.kratos.accounts[rapid.IntRange(0, len(e.kratos.accounts)-1).Draw(rt, "account")]
}

// ofAccount is a login of an account by one of its credentials, or by none.
func ofAccount(a *account, credential string) (l identity.Login, by identity.Offer) {
	l = identity.Login{
		Hook: identity.HookLogin, Caller: "test", Providers: []string{"*"}, Known: a.known,
		External: identity.ExternalID{System: identity.SystemKratos, Instance: instance, ID: a.id}, Offers: []identity.Offer{a.offer},
	}
	if credential != "" {
		l.Provider, by.Subject, _ = strings.Cut(credential, ":")
		by.Provider, by.Issuer = l.Provider, issuerOf(l.Provider)
		if by.Provider == a.offer.Provider && by.Subject == a.offer.Subject {
			by = a.offer
		}
	}
	return l, by
}

// proves is somebody who proves an account, and connects what waits for that.
func (e *estate) proves(rt *rapid.T) {
	waiting := slices.Sorted(func(yield func(string) bool) {
		for c, a := range e.kratos.asked {
			if slices.Contains(e.kratos.accounts, a) && e.kratos.by(c) == nil && !yield(c) {
				return
			}
		}
	})
	if len(waiting) == 0 {
		rt.Skip("nobody is asked for a proof")
	}
	c := rapid.SampledFrom(waiting).Draw(rt, "credential")
	a := e.kratos.asked[c]
	delete(e.kratos.asked, c)
	with := ""
	if len(a.credentials) > 0 {
		with = rapid.SampledFrom(append([]string{""}, a.credentials...)).Draw(rt, "with")
	}
	a.credentials = append(a.credentials, c) // before any hook
	l, by := ofAccount(a, with)
	l.Linking = true
	e.signsIn(rt, l, by)
}

// returns is somebody who signs in to an account, maybe by a password.
func (e *estate) returns(rt *rapid.T) {
	a := e.account(rt)
	l, by := ofAccount(a, rapid.SampledFrom(append([]string{""}, a.credentials...)).Draw(rt, "with"))
	e.signsIn(rt, l, by)
}

// settles is somebody at the settings, who connects or disconnects a provider.
func (e *estate) settles(rt *rapid.T) {
	a := e.account(rt)
	l, _ := ofAccount(a, "")
	l.Hook = identity.HookLinks
	if len(a.credentials) > 1 && rapid.Bool().Draw(rt, "disconnects") {
		gone := rapid.SampledFrom(a.credentials).Draw(rt, "credential")
		a.credentials = slices.DeleteFunc(slices.Clone(a.credentials), func(c string) bool { return c == gone })
	} else {
		c := rapid.SampledFrom(providers).Draw(rt, "provider") + ":" + e.prefix + rapid.SampledFrom(subjects).Draw(rt, "subject")
		i, known, err := e.Known(e.ctx, l)
		if err != nil {
			rt.Fatal(err)
		}
		if e.kratos.by(c) != nil || !known || i.Barred() || !e.Awaits(i, l.External) {
			rt.Skip("the check refuses")
		}
		a.credentials = append(a.credentials, c)
		l.Linking = true
	}
	e.signsIn(rt, l, identity.Offer{})
}

// adopts takes over whom Kratos has.
func (e *estate) adopts(rt *rapid.T) {
	e.now = e.now.Add(time.Second)
	e.before = e.snapshot(rt)
	adopted, err := e.Adopt(e.ctx, provision.Adoption{Instance: instance, Apply: true, Userstore: "home"})
	if err != nil {
		rt.Fatal(err)
	}
	made := map[string]provision.Adoptee{}
	for _, a := range adopted.People {
		if a.Standing == provision.StandingImported {
			made[a.IdentityID] = a
		}
	}
	c := change{estate: e, before: e.before, after: e.snapshot(rt)}
	for _, id := range c.touched() {
		one, imported := made[id]
		i := c.after[id]
		if ext, _ := i.External(identity.SystemKratos, instance); !imported || c.before[id].ID != "" || ext != one.KratosID || len(i.Links) == 0 || len(i.Groups) > 0 {
			c.failf(rt, "taken over: %+v", i)
		}
		r, err := e.all.Decision(e.ctx, one.DecisionID)
		if err != nil {
			rt.Fatal(err)
		}
		c.out.Record = r
		c.recorded(rt)
	}
}

// forgets is an administrator of Kratos, who deletes an account.
func (e *estate) forgets(rt *rapid.T) {
	a := e.account(rt)
	e.kratos.accounts = slices.DeleteFunc(e.kratos.accounts, func(b *account) bool { return a == b })
}

// connected holds Kratos's accounts to what policy has let be connected: whoever
// signs in there is the identity that is linked, and nobody else.
func (c change) connected(rt *rapid.T, l identity.Login, by identity.Offer) {
	r := c.out.Record
	if !r.Decision.Allowed() || l.External.ID == "" || l.Hook != identity.HookLogin {
		return
	}
	a := c.kratos.find(func(a *account) bool { return a.id == l.External.ID })
	own := slices.DeleteFunc(slices.Clone(a.credentials), func(s string) bool { return !strings.HasPrefix(s, by.Provider+":") })
	if l.Linking {
		i := c.after[r.IdentityID]
		for _, credential := range a.credentials {
			provider, subject, _ := strings.Cut(credential, ":")
			if _, file := c.files[provider]; file && i.Link(issuerOf(provider), subject) < 0 {
				c.failf(rt, "%s is connected, and no link", credential)
			}
		}
	}
	if r.IdentityID == "" {
		if _, has := holder(c.before, identity.ExtKey(l.External)); has {
			c.failf(rt, "nobody knows who has the account")
		}
		return
	}
	i := c.after[r.IdentityID]
	if id, _ := i.External(identity.SystemKratos, instance); by.Subject != "" && cmp.Or(id, a.id) != a.id {
		c.failf(rt, "the account %s is that of %s", a.id, id)
	}
	if by.Subject != "" && len(own) == 1 && i.Link(by.Issuer, by.Subject) < 0 {
		c.failf(rt, "signed in by a subject that is not linked")
	}
}
