//go:build unix

package crash_test

// A subject of a second provider, globex, whose pending identity yields to the
// committed one that Kratos has connected it to.

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/jithook/jithook/identity"
)

const globexIssuer = "https://globex.example"

const globex = `
version: 1
provider: globex
issuer: ` + globexIssuer + `
trust: {authoritative_domains: [acme.example]}
jit:
  enabled: true
  account_lookup: [{local: /traits/email, federated: claims.email}]
  account_linking: auto
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
`

// kratosHas is the Admin API of a Kratos that has connected globex's subject to
// everybody, and in which nobody signs in with an address.
var kratosHas = sync.OnceValue(func() string {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		id := path.Base(r.URL.Path)
		subject, ok := strings.CutPrefix(id, "k-")
		if !ok {
			json.NewEncoder(w).Encode([]any{})
			return
		}
		json.NewEncoder(w).Encode(map[string]any{
			"id": id, "schema_id": "s", "schema_url": "u", "traits": map[string]any{}, "state": "active",
			"credentials": map[string]any{"oidc": map[string]any{"identifiers": []string{"acme:" + subject, "globex:g-" + subject}}},
		})
	})).URL
})

// await notes that policy has said yes to globex's subject.
func await(ctx context.Context, h house, subject string) (identity.Decision, error) {
	i, err := only(ctx, h, subject)
	if err != nil {
		return "", err
	}
	i.Proposals = append(i.Proposals, identity.Proposal{
		Provider: "globex", Issuer: globexIssuer, Subject: "g-" + subject, State: identity.ProposalAwaited,
		At: time.Now(), Expires: time.Now().Add(time.Hour), Match: identity.Match{Rule: "1.yaml:8:54", Path: "/email"},
	})
	i.Revision++
	return identity.Unchanged, h.store.Swap(ctx, i, identity.Record{})
}

// prepareOther is a first sign-in of globex's subject, with an address of its
// own.
func prepareOther(subject string) identity.Login {
	l := prepare(subject)
	l.Provider = "globex"
	l.Offers[0].Provider, l.Offers[0].Issuer, l.Offers[0].Subject = "globex", globexIssuer, "g-"+subject
	l.Offers[0].Claims = claims("g-"+subject, first, "globex.example")
	return l
}

// otherLogin is a sign-in by globex of whom Kratos has connected it to.
func otherLogin(subject string) identity.Login {
	l := kratosLogin(subject)
	l.Provider, l.Offers = "globex", nil
	return l
}
