// These tests prove which ID tokens are believed, with real keys and a provider
// on this machine: the tables are data. What go-oidc would accept or refuse is no
// matter, except that nothing passes here which it would refuse.
package idtoken_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/identity"
)

// row is one token and what becomes of it. In header and claims a null removes a
// member, IDP stands for the provider's URL, OTHER for another key and now±D for
// a time.
type row struct {
	Name      string
	Alg       string // default RS256
	SignAs    string // the algorithm that signs in fact; default Alg
	Pair      string // the key pair that signs; default rsa
	Header    map[string]any
	RawHeader string
	Claims    map[string]any
	RawClaims *string
	Raw       *string
	Nonce     string
	Allow     []string // algorithms, default the default ones
	Code      identity.Code
	Why       string
	Fetches   int // of keys, by a party that has none yet
}

func rows(t *testing.T, file string) []row {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (r row) token(p party) string {
	if r.Raw != nil {
		return *r.Raw
	}
	alg, as, pair := or(r.Alg, "RS256"), or(r.SignAs, or(r.Alg, "RS256")), or(r.Pair, "rsa")
	header := any(p.merged(map[string]any{"alg": alg, "kid": "rsa"}, r.Header))
	if r.RawHeader != "" {
		header = r.RawHeader
	}
	content := any(p.merged(p.good(), r.Claims))
	if r.RawClaims != nil {
		content = *r.RawClaims
	}
	return sign(pair, as, header, content)
}

func (p party) merged(base, edits map[string]any) map[string]any {
	for name, v := range edits {
		if v = p.resolved(v); v == nil {
			delete(base, name)
		} else {
			base[name] = v
		}
	}
	return base
}

func (p party) resolved(v any) any {
	switch v := v.(type) {
	case string:
		if offset, ok := strings.CutPrefix(v, "now"); ok && offset != "" {
			d, err := time.ParseDuration(offset)
			if err != nil {
				panic(err)
			}
			return p.now().Add(d).Unix()
		}
		if v == "OTHER" {
			return publicKey("rsa-other", "rsa", "")
		}
		return strings.ReplaceAll(v, "IDP", p.idp.URL)
	case []any:
		for i := range v {
			v[i] = p.resolved(v[i])
		}
	}
	return v
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// check presents the row's token to p.
func (r row) check(t *testing.T, p party) {
	t.Helper()
	e, err := p.Claims(t.Context(), login(r.token(p), r.Nonce))
	var refusal *claims.Refusal
	errors.As(err, &refusal)
	switch {
	case r.Code != "":
		if refusal == nil || refusal.Code != r.Code || !strings.Contains(refusal.Why, r.Why) || refusal.Source != identity.SourceIDToken {
			t.Errorf("want %s %q, got %+v, %v", r.Code, r.Why, refusal, err)
		}
	case err != nil:
		t.Errorf("refused: %v (%+v)", err, refusal)
	case e.Issuer != p.idp.URL || e.Subject != "s-1" || e.Source != identity.SourceIDToken || !e.Fresh || e.Time.IsZero() ||
		e.Claims["email"] != "ann@acme.example" || e.Ticket == nil || !e.Ticket.Until.After(p.now()):
		t.Errorf("got the evidence of %q of %s at %s", e.Subject, e.Issuer, e.Time)
	}
}

// TestS41_Algorithms: what may sign, and that a token brings no key of its own.
// No refusal for what stands in the header has fetched anything.
func TestS41_Algorithms(t *testing.T) {
	for _, r := range rows(t, "testdata/S41.json") {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			p := newParty(startIDP(t), loopback, func(rules *idtoken.Rules) {
				if r.Allow != nil {
					rules.Algorithms = r.Allow
				}
			})
			r.check(t, p)
			if fetches, requests := p.idp.counts(); fetches != r.Fetches || r.Fetches == 0 && requests != 0 {
				t.Errorf("%d fetches, %d requests", fetches, requests)
			}
		})
	}
}

// TestS42_Claims: what a token with a good signature must say.
func TestS42_Claims(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	for _, r := range rows(t, "testdata/S42.json") {
		t.Run(r.Name, func(t *testing.T) { r.check(t, p) })
	}
}

// TestTimes: claims are ordered by iat, and a token ends with max_age if exp is
// later.
func TestTimes(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	issued := p.now().Add(-time.Minute)
	e, err := p.Claims(t.Context(), login(p.token("rsa"), ""))
	if err != nil || !e.Time.Equal(issued) || !e.Ticket.Until.Equal(issued.Add(11*time.Minute)) {
		t.Errorf("time %s until %v, %v", e.Time, e.Ticket, err)
	}
	short := p.merged(p.good(), map[string]any{"exp": p.now().Unix()})
	e, err = p.Claims(t.Context(), login(sign("rsa", "RS256", map[string]any{"alg": "RS256", "kid": "rsa"}, short), ""))
	if err != nil || !e.Ticket.Until.Equal(p.now().Add(time.Minute)) {
		t.Errorf("until %v, %v", e.Ticket, err)
	}
}

// TestSize: 16 KiB pass, a byte more does not.
func TestSize(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	sized := func(filler int) string {
		c := p.merged(p.good(), map[string]any{"filler": strings.Repeat("x", filler)})
		return sign("rsa", "RS256", map[string]any{"alg": "RS256", "kid": "rsa"}, c)
	}
	filler := (idtoken.MaxToken - len(sized(0))) / 4 * 3
	for len(sized(filler+1)) <= idtoken.MaxToken {
		filler++
	}
	if _, err := p.Claims(t.Context(), login(sized(filler), "")); err != nil {
		t.Errorf("%d bytes: %v", len(sized(filler)), err)
	}
	row{RawClaims: ptr(`{"filler":"` + strings.Repeat("x", idtoken.MaxToken) + `"}`), Code: identity.CodeTokenInvalid, Why: "16 KiB"}.check(t, p)
}

func ptr[T any](v T) *T { return &v }

// TestOneTextForOneToken: line ends, white space and a flipped bit make another
// text, which does not pass.
func TestOneTextForOneToken(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	good := p.token("rsa")
	for name, spoilt := range map[string]string{
		"a line end at the end":    good + "\n",
		"a line end in the middle": strings.Replace(good, ".", "\r\n.", 1),
		"a space before":           " " + good,
		"a fourth part":            good + ".",
		"no signature":             good[:strings.LastIndexByte(good, '.')+1],
	} {
		t.Run(name, func(t *testing.T) {
			row{Raw: &spoilt, Code: identity.CodeTokenInvalid}.check(t, p)
		})
	}
	row{Raw: &good}.check(t, p)
}

// TestAbsence: only a login without a token falls through to the next source.
func TestAbsence(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	token := p.token("rsa")
	for name, edit := range map[string]func(*identity.Login){
		"no offer":                  func(l *identity.Login) { l.Offers = nil },
		"an offer of another kind":  func(l *identity.Login) { l.Offers[0].Source = identity.SourceHookBody },
		"of another provider":       func(l *identity.Login) { l.Offers[0].Provider = "globex" },
		"another provider signs in": func(l *identity.Login) { l.Provider = "globex" },
	} {
		l := login(token, "")
		edit(&l)
		if _, err := p.Claims(t.Context(), l); !errors.Is(err, claims.ErrAbsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSubjectOfTheFilesChoice: the token's own sub must be usable all the same,
// and is nobody.
func TestSubjectOfTheFilesChoice(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	o := claims.Origin{Provider: "acme", Issuers: []string{p.idp.URL}, Subject: []string{"ids", "oid"}}
	p.Source = idtoken.New(o, p.rules, p.keys, p.now)
	oid := func(v any) map[string]any { return map[string]any{"oid": v} }
	for _, r := range []row{
		{Name: "the claim", Claims: map[string]any{"sub": "pairwise", "ids": oid("s-1")}},
		{Name: "another value", Claims: map[string]any{"ids": oid("s-2")}, Code: identity.CodeClaimsConflict},
		{Name: "only a sub", Code: identity.CodeSubjectUndeterminable},
		{Name: "no sub", Claims: map[string]any{"sub": nil, "ids": oid("s-1")}, Code: identity.CodeSubjectInvalid},
	} {
		t.Run(r.Name, func(t *testing.T) {
			e, err := p.Claims(t.Context(), login(r.token(p), ""))
			var refusal *claims.Refusal
			if errors.As(err, &refusal); r.Code == "" && (err != nil || e.Subject != "s-1") || r.Code != "" && (refusal == nil || refusal.Code != r.Code) {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}
