//go:build unix

package mongo_test

// These tests prove that links hold where several servers share a database: of
// many subjects of one provider that come for one person one is linked, and of
// many logins of one subject one links.

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

const globex = `
version: 1
provider: globex
issuer: https://globex.example
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true, account_lookup: [{local: /traits/email, federated: claims.email}], account_linking: auto}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
`

func TestLinksAtOnce(t *testing.T) {
	srv := peer.Server(t)
	for name, c := range map[string]struct {
		subject func(n int) string
		want    map[string]int
	}{
		"one subject":   {func(int) string { return "g-1" }, map[string]int{"linked linked": 1, "unchanged unchanged": 7}},
		"many subjects": {func(n int) string { return fmt.Sprint("g-", n) }, map[string]int{"linked linked": 1, "denied link_refused": 7}},
	} {
		t.Run(name, func(t *testing.T) {
			at := srv.Database(t)
			first := open(t, srv.URI, at)
			replicas := []*provision.Service{service(t, first, nil, globex), service(t, open(t, srv.URI, at), nil, globex)}
			login := func(s *provision.Service, provider, subject string) identity.Record {
				return s.Provision(t.Context(), identity.Login{
					Hook: identity.HookGeneric, Caller: "test", Providers: []string{"*"}, Provider: provider,
					Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: provider, Subject: subject, Claims: map[string]any{
						"email": "ann@acme.example", "email_verified": true, "hd": "acme.example", "org": "default",
					}}},
				}).Record
			}
			if r := login(replicas[0], "acme", "s-1"); r.Decision != identity.Created {
				t.Fatalf("%s %v", r.Decision, r.Reasons)
			}
			var mu sync.Mutex
			var all sync.WaitGroup
			got := map[string]int{}
			for n := range 8 {
				all.Go(func() {
					r := login(replicas[n%2], "globex", c.subject(n))
					mu.Lock()
					defer mu.Unlock()
					got[fmt.Sprint(r.Decision, " ", r.Reasons[0].Code)]++
				})
			}
			all.Wait()
			if !maps.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			page, err := first.List(t.Context(), store.Query{})
			must(t, err)
			if len(page.Identities) != 1 || len(page.Identities[0].Links) != 2 || page.Identities[0].Revision != 2 {
				t.Errorf("%+v", page.Identities)
			}
		})
	}
}
