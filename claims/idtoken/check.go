package idtoken

import (
	"math"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
)

// check holds the claims of a token with a good signature to OpenID Connect Core
// 1.0, section 3.1.3.7, at the time now. It returns when the token was issued
// and when it stops being good.
func (r Rules) check(c map[string]any, now time.Time) (issued, until time.Time, err error) {
	if _, there := c["events"]; there {
		// A logout token has issuer, audience and subject, too (OpenID Connect
		// Back-Channel Logout 1.0, section 2.4).
		return issued, until, refuse(identity.CodeTokenInvalid, "it is no ID token: it has events")
	}
	if err := r.checkAudience(c); err != nil {
		return issued, until, err
	}
	expires, err := instant(c, "exp")
	if err != nil {
		return issued, until, err
	}
	if issued, err = instant(c, "iat"); err != nil {
		return issued, until, err
	}
	if _, there := c["nbf"]; there {
		begins, err := instant(c, "nbf")
		if err != nil {
			return issued, until, err
		}
		if begins.After(now.Add(r.Skew)) {
			return issued, until, refuse(identity.CodeTokenTime, "its nbf is in the future")
		}
	}
	// The earlier of the two ends: a provider may date exp far ahead.
	until = expires.Add(r.Skew)
	if aged := issued.Add(r.MaxAge + r.Skew); aged.Before(until) {
		until = aged
	}
	switch {
	case issued.After(now.Add(r.Skew)):
		return issued, until, refuse(identity.CodeTokenTime, "its iat is in the future")
	case !now.Before(expires.Add(r.Skew)):
		return issued, until, refuse(identity.CodeTokenTime, "it has expired")
	case !now.Before(until):
		return issued, until, refuse(identity.CodeTokenTime, "it is older than max_age")
	}
	return issued, until, nil
}

// checkAudience demands that the token is for one of our clients, and if it is
// for others as well, or names an authorised party, that this is one of ours:
// else another client's token, which that client may hand to anybody, would do.
func (r Rules) checkAudience(c map[string]any) error {
	audience, ok := texts(c["aud"])
	if !ok {
		return refuse(identity.CodeTokenAudience, "its aud is neither a text nor a list of texts")
	}
	if !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(r.Audience, a) }) {
		return refuse(identity.CodeTokenAudience, "its aud is none of ours")
	}
	azp, there := c["azp"]
	if !there && len(audience) > 1 {
		return refuse(identity.CodeTokenAudience, "it has several audiences and no azp")
	}
	if party, _ := azp.(string); there && !slices.Contains(r.Audience, party) {
		return refuse(identity.CodeTokenAudience, "its azp is none of ours")
	}
	return nil
}

// texts returns a text or a list of texts as a list.
func texts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}

// latest is the last second of the year 9999: later ones have no RFC 3339.
const latest = 253402300799

// instant reads a NumericDate (RFC 7519, section 2): seconds since 1970, in
// whole or not.
func instant(c map[string]any, name string) (time.Time, error) {
	var seconds, fraction float64
	switch n := c[name].(type) {
	case int64:
		seconds = float64(n)
	case float64:
		seconds, fraction = math.Modf(n)
	case nil:
		return time.Time{}, refuse(identity.CodeTokenInvalid, "it has no "+name)
	default:
		return time.Time{}, refuse(identity.CodeTokenInvalid, "its "+name+" is no time")
	}
	if seconds < 0 || fraction < 0 || seconds > latest {
		return time.Time{}, refuse(identity.CodeTokenInvalid, "its "+name+" is no time")
	}
	return time.Unix(int64(seconds), int64(fraction*1e9)).UTC(), nil
}
