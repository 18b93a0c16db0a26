package hook

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// Endpoint is a group of hooks that a credential may call.
type Endpoint string

const (
	// EndpointKratos is everything below /hooks/kratos/.
	EndpointKratos Endpoint = "kratos"
	// EndpointLogin is POST /hooks/login.
	EndpointLogin Endpoint = "login"
)

// DefaultInstance is the instance of a credential that names none.
const DefaultInstance = "main"

// Caller is who a credential stands for and what it may do.
type Caller struct {
	Name      string
	Endpoints []Endpoint
	// Providers are the providers it may speak for; "*" stands for all.
	Providers []string
	// Instance names the identity server's instance: an id of its own means
	// something only together with it.
	Instance string
}

// MaxValues is how many secrets one credential may have at a time: the new and
// the old one, while they are exchanged.
const MaxValues = 2

// APIKey is a credential sent in a header of its own, or as a bearer token
// (RFC 6750).
type APIKey struct {
	Caller
	Header string
	Values []string
}

// Basic is a credential sent by HTTP basic authentication (RFC 7617).
type Basic struct {
	Caller
	User      string
	Passwords []string
}

// Credentials are all that callers may come with.
type Credentials struct {
	APIKeys  []APIKey
	Basics   []Basic
	Webhooks []Webhook
	// Now is the server's clock.
	Now func() time.Time
}

// Auth knows the credentials, and who has failed to have one. NewAuth makes it.
type Auth struct {
	entries  []entry
	headers  []string // that keys are sent in, each once
	signers  []signer
	now      func() time.Time
	large    chan struct{} // places for large bodies of strangers
	failures *failures
}

type entry struct {
	caller Caller
	header int // which of the headers; basic for none
	digest [sha256.Size]byte
}

// basic stands in an entry's header for HTTP basic authentication.
const basic = -1

// NewAuth returns an Auth that admits these credentials. Errors: none given; one
// without a secret, with an empty one or with more than MaxValues, or one that
// cannot sign; a secret that is there twice, since which of the two scopes holds
// would be chance.
func NewAuth(c Credentials) (*Auth, error) {
	a := &Auth{now: c.Now, large: make(chan struct{}, largeBodies), failures: newFailures()}
	for _, k := range c.APIKeys {
		if err := checkValues(k.Values); err != nil {
			return nil, fmt.Errorf("api key %q %w", k.Name, err)
		}
		name := http.CanonicalHeaderKey(k.Header)
		at := slices.Index(a.headers, name)
		if at < 0 {
			at, a.headers = len(a.headers), append(a.headers, name)
		}
		for _, v := range k.Values {
			a.entries = append(a.entries, entry{k.Caller, at, digest(v)})
		}
	}
	for _, b := range c.Basics {
		if err := checkValues(b.Passwords); err != nil || b.User == "" {
			return nil, fmt.Errorf("basic credential %q %w", b.Name, cmp.Or(err, errNoUser))
		}
		for _, p := range b.Passwords {
			a.entries = append(a.entries, entry{b.Caller, basic, digest(b.User, p)})
		}
	}
	for _, w := range c.Webhooks {
		if err := checkValues(w.Secrets); err != nil {
			return nil, fmt.Errorf("webhook secret %q %w", w.Name, err)
		}
		for _, v := range w.Secrets {
			secret, err := parseSecret(v)
			if err != nil {
				return nil, fmt.Errorf("webhook secret %q %w", w.Name, err)
			}
			a.signers = append(a.signers, signer{w.Caller, secret})
		}
	}
	if len(a.entries)+len(a.signers) == 0 {
		return nil, errors.New("no credential is configured: every caller would be refused")
	}
	return a, a.distinct()
}

// distinct returns an error if a secret is there twice.
func (a *Auth) distinct() error {
	holders := map[[sha256.Size]byte]string{}
	check := func(secret [sha256.Size]byte, name string) error {
		if first, ok := holders[secret]; ok {
			return fmt.Errorf("a secret is there twice, in credentials %q and %q", first, name)
		}
		holders[secret] = name
		return nil
	}
	for _, e := range a.entries {
		// In headers of their own, too: both may come as a bearer token.
		if err := check(e.digest, e.caller.Name); err != nil {
			return err
		}
	}
	for _, s := range a.signers {
		if err := check(digest("webhook", "", string(s.secret)), s.caller.Name); err != nil {
			return err
		}
	}
	return nil
}

var errNoUser = errors.New("has no user")

func checkValues(values []string) error {
	switch {
	case len(values) == 0 || slices.Contains(values, ""):
		return errors.New("has an empty secret")
	case len(values) > MaxValues:
		return fmt.Errorf("has more than %d secrets, the new and the old one", MaxValues)
	}
	return nil
}

const noneKnown = "no credential that is known here came with the request"

// Authenticate returns who sent the request, and of a signed one the delivery
// that it is, having read its body. Errors: *Refusal, *problem.Problem.
func (a *Auth) Authenticate(r *http.Request) (Caller, *provision.Delivery, error) {
	caller, known := a.sent(r)
	switch other := a.hasOther(r); {
	case isSigned(r) && other:
		// Which of the two scopes holds would be chance, and who forwards a signed
		// request with a key of its own would lend it that key.
		return Caller{}, nil, refuse(RefusedSeveral, "the request is signed and has another credential as well: send one of them")
	case isSigned(r):
		return a.signed(r)
	case known:
		return caller, nil, nil
	case other:
		return Caller{}, nil, refuse(RefusedUnknown, noneKnown)
	}
	return Caller{}, nil, refuse(RefusedNone, noneKnown)
}

// hasOther reports whether r has anything of a credential that is sent.
func (a *Auth) hasOther(r *http.Request) bool {
	return r.Header.Get("Authorization") != "" ||
		slices.ContainsFunc(a.headers, func(name string) bool { return r.Header.Get(name) != "" })
}

// part is what a request has in one of the headers.
type part struct {
	digest [sha256.Size]byte
	there  int // 1 if it has something
}

// sent returns whose credential the request has in its headers. It compares
// digests in constant time and looks at every credential whatever matched, so
// that neither a prefix nor a position can be timed. What was sent is digested once,
// however many credentials there are.
func (a *Auth) sent(r *http.Request) (Caller, bool) {
	token, hasBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	bearer := digest(token)
	user, password, hasBasic := r.BasicAuth()
	pair := digest(user, password)
	var few [4]part
	parts := few[:0]
	for _, name := range a.headers {
		value := r.Header.Get(name)
		parts = append(parts, part{digest(value), truth(value != "")})
	}
	found := -1
	for i := range a.entries {
		e := &a.entries[i]
		match := 0
		if e.header == basic {
			match = subtle.ConstantTimeCompare(pair[:], e.digest[:]) & truth(hasBasic)
		} else {
			own := &parts[e.header]
			match = subtle.ConstantTimeCompare(own.digest[:], e.digest[:])&own.there |
				subtle.ConstantTimeCompare(bearer[:], e.digest[:])&truth(hasBearer)
		}
		if match == 1 && found < 0 {
			found = i
		}
	}
	if found < 0 {
		return Caller{}, false
	}
	return a.entries[found].caller, true
}

// May reports whether the caller may use the endpoint.
func (c Caller) May(e Endpoint) bool { return slices.Contains(c.Endpoints, e) }

// MaySpeakFor reports whether the provider is in the caller's scope.
func (c Caller) MaySpeakFor(provider string) bool {
	return identity.MaySpeakFor(c.Providers, provider)
}

// digest hides the lengths of secrets from the comparison. Parts are
// length-prefixed: user "ab" with password "c" is not user "a" with "bc".
func digest(parts ...string) [sha256.Size]byte {
	text := make([]byte, 0, 256)
	for _, p := range parts {
		text = binary.BigEndian.AppendUint64(text, uint64(len(p)))
		text = append(text, p...)
	}
	return sha256.Sum256(text)
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
