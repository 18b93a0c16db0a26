package provider

import (
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/strictyaml"
)

// sources returns the claims sources in the file's order. One that has to be
// set up is asked only where the file names it.
func (c *compiler) sources(f file, o claims.Origin) []claims.Source {
	rules := c.idTokens(f.Claims.IDToken)
	texts := f.Claims.Source
	if len(texts) == 0 {
		for _, n := range claims.Sources() {
			texts = append(texts, strictyaml.Text{Value: n})
		}
	}
	names := append(claims.Sources(), identity.SourceIDToken)
	var sources []claims.Source
	for i, t := range texts {
		switch {
		case !slices.Contains(names, t.Value):
			c.refuse(t, "unknown claims source %q; there are %q", t.Value, names)
		case slices.ContainsFunc(texts[:i], func(e strictyaml.Text) bool { return e.Value == t.Value }):
			c.refuse(t, "this source is in the list already")
		case t.Value != identity.SourceIDToken:
			sources = append(sources, claims.NewCarried(t.Value, o, c.Now))
		case f.Claims.IDToken == nil:
			c.refuse(t, "id_token needs claims.id_token: {audience: [your client id at the provider]}")
		default:
			c.issuers(f.Issuer)
			sources = append(sources, idtoken.New(o, rules, c.Keys, c.Now))
		}
	}
	return sources
}

// issuers refuses issuers whose keys nobody could fetch.
func (c *compiler) issuers(list issuers) {
	for _, issuer := range list {
		if err := c.Keys.CheckIssuer(issuer.Value); err != nil {
			c.refuse(issuer, "%s", err)
		}
	}
}

// idTokens returns the rules for ID tokens, complete.
func (c *compiler) idTokens(s *idTokenSection) idtoken.Rules {
	r := idtoken.Rules{Algorithms: idtoken.DefaultAlgorithms(), Skew: idtoken.DefaultSkew, MaxAge: idtoken.DefaultMaxAge}
	if s == nil {
		return r
	}
	for _, a := range s.Audience {
		if a.Value == "" {
			c.refuse(a, "a client id must not be empty")
		}
		r.Audience = append(r.Audience, a.Value)
	}
	if s.Audience != nil && len(s.Audience) == 0 {
		c.problems = append(c.problems, s.Problemf("audience is an empty list"))
	}
	if s.Algorithms != nil {
		r.Algorithms = nil
	}
	for _, a := range s.Algorithms {
		if !slices.Contains(idtoken.Algorithms(), a.Value) {
			c.refuse(a, "%q is no algorithm that proves who signed; there are %s", a.Value, strings.Join(idtoken.Algorithms(), ", "))
		}
		r.Algorithms = append(r.Algorithms, a.Value)
	}
	if s.Algorithms != nil && len(s.Algorithms) == 0 {
		c.problems = append(c.problems, s.Problemf("algorithms is an empty list: leave it out for %s", strings.Join(idtoken.DefaultAlgorithms(), ", ")))
	}
	r.Skew = c.between(s, "skew", s.Skew, r.Skew, 0, idtoken.SkewLimit)
	r.MaxAge = c.between(s, "max_age", s.MaxAge, r.MaxAge, idtoken.MinMaxAge, idtoken.MaxMaxAge)
	return r
}

// between returns the duration that was written, or otherwise the default.
func (c *compiler) between(s *idTokenSection, key string, d *time.Duration, otherwise, least, most time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	if *d < least || *d > most {
		c.problems = append(c.problems, s.Problemf("%s is between %s and %s", key, least, most))
	}
	return *d
}
