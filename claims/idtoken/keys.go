package idtoken

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jithook/jithook/internal/safedial"
)

// When keys are fetched, and for how long they are trusted. A key that the
// provider removed stops being good at most trust after that, as long as its
// keys can be fetched. While they cannot, those that are known stay good for
// outage: whoever can keep us from fetching must not keep a stolen key alive for
// ever.
const (
	// refresh is the age at which keys are fetched again, while logins go on.
	refresh = 5 * time.Minute
	// trust is the age at which a login waits for fresh keys.
	trust = 10 * time.Minute
	// outage is the age at which keys are no longer good.
	outage = 24 * time.Hour
	// pause is between two fetches for keys that nobody has heard of, and
	// pauseFailed after a fetch that failed.
	pause       = 30 * time.Second
	pauseFailed = 5 * time.Second
	// wait is how long a login waits for keys, well within its deadline; the
	// fetch itself may take longer, for the next one.
	wait = time.Second
)

// errUnavailable says that keys could not be fetched: whether the token is good,
// nobody can tell.
var errUnavailable = errors.New("the provider's keys cannot be fetched")

// errPanic says that what a provider sent made the reading of it fail.
var errPanic = errors.New("reading the provider's documents panicked")

// Keys holds the signing keys of issuers. They are fetched when a token first
// asks for them, so that a provider that is down keeps no server from starting,
// and outlive a reload of the providers' files. It is safe for concurrent use.
type Keys struct {
	client *http.Client
	guard  safedial.Guard
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	issuers map[string]*issuer // those of providers' files, never of tokens
}

// NewKeys returns Keys that fetch over connections which the guard allows.
func NewKeys(g safedial.Guard, now func() time.Time, log *slog.Logger) *Keys {
	return &Keys{client: newClient(g), guard: g, now: now, log: log, issuers: map[string]*issuer{}}
}

// issuer is the state of one issuer's keys.
type issuer struct {
	mu      sync.Mutex
	keys    []key
	fetched time.Time     // when keys came from there; zero: never
	tried   time.Time     // when the last fetch ended
	failed  bool          // the last fetch did
	flight  chan struct{} // closed when the fetch under way ends; nil: there is none
}

// key is one public key that may verify signatures.
type key struct {
	id        string
	algorithm string // empty: any that fits
	public    crypto.PublicKey
}

// find returns the issuer's key with this id for the algorithm. Without an id
// there must be exactly one key that fits (OpenID Connect Core 1.0, section
// 10.1). Errors: a refusal if there is none, errUnavailable if nobody can tell.
func (k *Keys) find(ctx context.Context, url, id string, a algorithm) (crypto.PublicKey, error) {
	i := k.of(url)
	public, flight := k.look(i, url, id, a)
	if flight == nil {
		return i.settle(public)
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-flight:
	case <-late.C:
	case <-ctx.Done():
	}
	i.mu.Lock()
	public = i.pick(id, a, k.now())
	i.mu.Unlock()
	return i.settle(public)
}

func (k *Keys) of(url string) *issuer {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := k.issuers[url]
	if i == nil {
		i = &issuer{}
		k.issuers[url] = i
	}
	return i
}

// look returns the key, if there is one that is good, and the fetch that must be
// waited for before that counts, if there is one.
func (k *Keys) look(i *issuer, url, id string, a algorithm) (crypto.PublicKey, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := k.now()
	public, age := i.pick(id, a, now), now.Sub(i.fetched)
	if public != nil && age < refresh {
		return public, nil
	}
	since := pause
	if i.failed {
		since = pauseFailed
	}
	if i.flight == nil && (i.tried.IsZero() || now.Sub(i.tried) >= since) {
		i.flight = make(chan struct{})
		go k.fetch(i, url)
	}
	if public != nil && (age < trust || i.failed) {
		return public, nil
	}
	return public, i.flight
}

// pick returns the key, if the keys are not too old.
func (i *issuer) pick(id string, a algorithm, now time.Time) crypto.PublicKey {
	if i.fetched.IsZero() || now.Sub(i.fetched) >= outage {
		return nil
	}
	fits := func(k key) bool {
		return (id == "" || k.id == id) && (k.algorithm == "" || k.algorithm == a.name) && a.fits(k.public)
	}
	at := slices.IndexFunc(i.keys, fits)
	if at < 0 || id == "" && slices.ContainsFunc(i.keys[at+1:], fits) {
		return nil
	}
	return i.keys[at].public
}

// settle tells a key that the provider does not have from one that we could not
// ask for.
func (i *issuer) settle(public crypto.PublicKey) (crypto.PublicKey, error) {
	if public != nil {
		return public, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failed || i.flight != nil || i.fetched.IsZero() {
		return nil, errUnavailable
	}
	return nil, malformed("the provider has no such key")
}

// fetch replaces the issuer's keys. It is not bound to the login that caused it:
// others wait for it, too.
func (k *Keys) fetch(i *issuer, url string) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	keys, err := k.ask(ctx, url)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tried, i.failed = k.now(), err != nil
	if err == nil {
		i.keys, i.fetched = keys, i.tried
	}
	close(i.flight)
	i.flight = nil
}

// ask is discover, with a failure in the log. A panic is one: nobody else could keep it
// from ending the process, and the provider has written what there is to read.
func (k *Keys) ask(ctx context.Context, url string) (keys []key, err error) {
	defer func() {
		if recover() != nil { // with what may be a part of it
			k.log.Error("fetching the keys of an issuer panicked", "issuer", url, "stack", string(debug.Stack()))
			keys, err = nil, errPanic
		}
	}()
	keys, err = k.discover(ctx, url)
	if err != nil {
		k.log.Warn("keys of an issuer not fetched", "issuer", url, "error", brief(err))
	}
	return keys, err
}

// maxReason is how much of an error is logged, in bytes.
const maxReason = 300

// brief is an error's text, cut: there are such that hold what the provider sent,
// as much as that may be.
func brief(err error) string {
	text := err.Error()
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}
