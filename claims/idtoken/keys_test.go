package idtoken_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/safedial"
)

// outcome presents a good token, signed under a key id, and returns what became
// of it: "", the code of a refusal or that of a fault.
func (p party) outcome(t testing.TB, id string) string {
	t.Helper()
	return p.outcomeOf(t, p.token(id))
}

func (p party) outcomeOf(t testing.TB, token string) string {
	t.Helper()
	_, err := p.Claims(t.Context(), login(token, ""))
	var refusal *claims.Refusal
	var fault *claims.Fault
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal):
		return string(refusal.Code)
	case errors.As(err, &fault):
		return string(fault.Code)
	}
	t.Fatalf("neither a refusal nor a fault: %v", err)
	return ""
}

// eventually waits for what a fetch beside the logins brings about.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never: %s", what)
		}
	}
}

const (
	invalid     = string(identity.CodeTokenInvalid)
	unavailable = string(identity.CodeKeysUnavailable)
)

func down(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "a body that no log may hold", http.StatusServiceUnavailable)
}

// TestF8_KeysDownForAnHour: keys that are known still pass, and unknown ones are
// an error of ours, never a denial and never a pass; when the provider is back,
// so is everything. After a day nothing is known any more.
func TestF8_KeysDownForAnHour(t *testing.T) {
	op := startIDP(t)
	warm, cold := newParty(op, loopback, nil), newParty(op, loopback, nil)
	if got := warm.outcome(t, "rsa"); got != "" {
		t.Fatal(got)
	}
	op.set(func(p *idp) { p.answer = down })
	for minute := range 60 {
		warm.move(time.Minute)
		cold.move(time.Minute)
		if got := warm.outcome(t, "rsa"); got != "" {
			t.Fatalf("warm, minute %d: %s", minute, got)
		}
		if got := cold.outcome(t, "rsa"); got != unavailable {
			t.Fatalf("cold, minute %d: %q", minute, got)
		}
	}
	eventually(t, "an unknown key is our fault", func() bool { return warm.outcome(t, "new") == unavailable })
	op.set(func(p *idp) { p.answer = nil })
	for _, p := range []party{warm, cold} {
		p.move(10 * time.Second)
		eventually(t, "up again", func() bool { return p.outcome(t, "rsa") == "" && p.outcome(t, "new") == invalid })
	}
	op.set(func(p *idp) { p.answer = down })
	warm.move(24*time.Hour + time.Second)
	if got := warm.outcome(t, "rsa"); got != unavailable {
		t.Errorf("after a day: %q", got)
	}
}

// TestF8_KeysHang: a provider that takes connections and does not answer holds a
// login for a second, and only one that cannot go on without.
func TestF8_KeysHang(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	release := make(chan struct{})
	defer close(release)
	p.idp.set(func(p *idp) { p.answer = func(http.ResponseWriter, *http.Request) { <-release } })
	start := time.Now()
	if got := p.outcome(t, "rsa"); got != unavailable {
		t.Errorf("cold: %q", got)
	}
	// A login has 1.5 s; the fetch may go on for 5.
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("waited %s", took)
	}
}

// TestLongReasons: what a provider sends instead of its keys fills no log.
func TestLongReasons(t *testing.T) {
	op := startIDP(t)
	op.set(func(p *idp) {
		p.discovery = map[string]string{"issuer": strings.Repeat("\x01é", 100_000), "jwks_uri": p.URL + "/keys"}
	})
	var log bytes.Buffer
	p := newParty(op, loopback, nil)
	p.keys = idtoken.NewKeys(loopback, p.now, slog.New(slog.NewJSONHandler(&log, nil)))
	if got := p.again().outcome(t, "rsa"); got != unavailable {
		t.Errorf("%q", got)
	}
	if n := log.Len(); n == 0 || n > 2000 || !strings.Contains(log.String(), "did not match") {
		t.Errorf("%d bytes: %.500s", n, log.String())
	}
}

// panicking is a log that panics at a warning, in the place of whatever may panic at
// what a provider sends.
type panicking struct{ slog.Handler }

func (p panicking) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		panic("geheim")
	}
	return p.Handler.Handle(ctx, r)
}

// TestFetchPanics: keys that cannot be fetched in whatever way are unavailable. The
// process goes on, and nobody waits for them for ever.
func TestFetchPanics(t *testing.T) {
	op := startIDP(t)
	op.set(func(p *idp) {
		p.discovery = map[string]string{"issuer": "https://another.example", "jwks_uri": p.URL + "/keys"}
	})
	var log bytes.Buffer
	p := newParty(op, loopback, nil)
	p.keys = idtoken.NewKeys(loopback, p.now, slog.New(panicking{slog.NewJSONHandler(&log, nil)}))
	if got := p.again().outcome(t, "rsa"); got != unavailable {
		t.Errorf("%q", got)
	}
	if !strings.Contains(log.String(), "panicked") || strings.Contains(log.String(), "geheim") {
		t.Errorf("the log: %s", log.String())
	}
}

// TestUnknownKeysFetchOnce: 200 tokens with as many key ids, at once and one
// after the other, cost at most two fetches, and good ones pass meanwhile.
func TestUnknownKeysFetchOnce(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	var wg sync.WaitGroup
	unknown, good := make([]string, 200), make([]string, 200) // signed before any login waits for keys
	for i := range unknown {
		unknown[i], good[i] = p.token(fmt.Sprintf("unknown-%d", i)), p.token("rsa")
	}
	for i := range unknown {
		present := func() {
			if got := p.outcomeOf(t, unknown[i]); got != invalid {
				t.Errorf("%q", got)
			}
			if got := p.outcomeOf(t, good[i]); got != "" {
				t.Errorf("good: %q", got)
			}
		}
		if i < 100 {
			wg.Go(present)
			continue
		}
		wg.Wait()
		present()
	}
	if fetches, _ := p.idp.counts(); fetches > 2 {
		t.Errorf("%d fetches", fetches)
	}
}

// TestNewKeyIsFound half a minute after the last look at the latest.
func TestNewKeyIsFound(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	if got := p.outcome(t, "rsa"); got != "" {
		t.Fatal(got)
	}
	p.idp.set(func(p *idp) { p.keys = append(p.keys, publicKey("rsa", "new", "RS256")) })
	if got := p.outcome(t, "new"); got != invalid {
		t.Errorf("at once: %q", got)
	}
	p.move(30 * time.Second)
	if got := p.outcome(t, "new"); got != "" {
		t.Errorf("after 30 s: %q", got)
	}
}

// TestRemovedKey: a key that the provider withdrew is no longer trusted ten
// minutes later, whether logins went on or not, nor once they did for five.
func TestRemovedKey(t *testing.T) {
	withdraw := func(p *idp) { p.keys = []any{publicKey("rsa-other", "other", "")} }
	t.Run("no logins meanwhile", func(t *testing.T) {
		p := newParty(startIDP(t), loopback, nil)
		if got := p.outcome(t, "rsa"); got != "" {
			t.Fatal(got)
		}
		p.idp.set(withdraw)
		p.move(10 * time.Minute)
		if got := p.outcome(t, "rsa"); got != invalid {
			t.Errorf("%q", got)
		}
	})
	t.Run("logins meanwhile", func(t *testing.T) {
		p := newParty(startIDP(t), loopback, nil)
		if got := p.outcome(t, "rsa"); got != "" {
			t.Fatal(got)
		}
		p.idp.set(withdraw)
		p.move(5 * time.Minute)
		eventually(t, "withdrawn", func() bool { return p.outcome(t, "rsa") == invalid })
	})
	t.Run("all of them", func(t *testing.T) {
		p := newParty(startIDP(t), loopback, nil)
		if got := p.outcome(t, "rsa"); got != "" {
			t.Fatal(got)
		}
		p.idp.set(func(p *idp) { p.keys = []any{} })
		p.move(10 * time.Minute)
		if got := p.outcome(t, "rsa"); got != invalid {
			t.Errorf("%q", got)
		}
	})
}

// TestRemovedKeyWhileDown: the moment a failing provider answers again, what it
// withdrew is gone, too.
func TestRemovedKeyWhileDown(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	if got := p.outcome(t, "rsa"); got != "" {
		t.Fatal(got)
	}
	p.idp.set(func(p *idp) { p.answer = down })
	p.move(time.Hour)
	if got := p.outcome(t, "rsa"); got != "" {
		t.Errorf("down: %q", got)
	}
	p.idp.set(func(p *idp) { p.answer, p.keys = nil, []any{} })
	p.move(5 * time.Second)
	eventually(t, "withdrawn", func() bool { return p.outcome(t, "rsa") == invalid })
}

// TestWhatProvidersMaySend: each of these answers is a fault, and none is a pass
// or is followed.
func TestWhatProvidersMaySend(t *testing.T) {
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	defer elsewhere.Close()
	// Keys that would do, and can be reached, but over http and under a name that
	// could be anybody's.
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{publicKey("rsa", "rsa", "")}})
	}))
	defer plain.Close()
	overHTTP := strings.Replace(plain.URL, "127.0.0.1", "0.0.0.0", 1)
	reachable := safedial.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("0.0.0.0/32")})
	at := func(path string, answer http.HandlerFunc) func(*idp) {
		return func(p *idp) {
			p.answer = func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, path) {
					answer(w, r)
					return
				}
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, p.URL, p.URL+"/keys")
			}
		}
	}
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
	}
	redirect := http.RedirectHandler(elsewhere.URL, http.StatusFound).ServeHTTP
	keys := func(n int) string { return `{"keys":[` + strings.TrimSuffix(strings.Repeat("{},", n), ",") + `]}` }
	for name, c := range map[string]struct {
		change func(*idp)
		want   string
	}{
		"discovery redirects": {at("/.well", redirect), unavailable},
		"keys redirect":       {at("/keys", redirect), unavailable},
		"discovery of another": {func(p *idp) {
			p.discovery = map[string]string{"issuer": "https://evil.example", "jwks_uri": p.URL + "/keys"}
		}, unavailable},
		"discovery with a slash": {func(p *idp) { p.discovery = map[string]string{"issuer": p.URL + "/", "jwks_uri": p.URL + "/keys"} }, unavailable},
		"discovery without keys": {func(p *idp) { p.discovery = map[string]string{"issuer": p.URL} }, unavailable},
		"keys over http":         {func(p *idp) { p.discovery = map[string]string{"issuer": p.URL, "jwks_uri": overHTTP} }, unavailable},
		"keys from this machine": {func(p *idp) { p.discovery = map[string]string{"issuer": p.URL, "jwks_uri": plain.URL} }, ""},
		"keys from a file":       {func(p *idp) { p.discovery = map[string]string{"issuer": p.URL, "jwks_uri": "file:///etc/passwd"} }, unavailable},
		"keys from a private place": {func(p *idp) {
			p.discovery = map[string]string{"issuer": p.URL, "jwks_uri": "https://169.254.169.254/keys"}
		}, unavailable},
		"discovery is huge":     {at("/.well", text(`{"issuer":"`+strings.Repeat("x", 1<<20)+`"}`)), unavailable},
		"keys are huge":         {at("/keys", text(`{"keys":[],"x":"`+strings.Repeat("x", 1<<20)+`"}`)), unavailable},
		"keys are no JSON":      {at("/keys", text("<html>")), unavailable},
		"keys are a list":       {at("/keys", text("[]")), unavailable},
		"keys are missing":      {at("/keys", text("{}")), unavailable},
		"101 keys":              {at("/keys", text(keys(101))), unavailable},
		"100 useless keys":      {at("/keys", text(keys(100))), invalid},
		"a private key":         {func(p *idp) { p.keys = []any{private("rsa")} }, invalid},
		"a secret":              {func(p *idp) { p.keys = []any{map[string]string{"kty": "oct", "kid": "rsa", "k": "c2VjcmV0"}} }, invalid},
		"a key for encryption":  {func(p *idp) { k := publicKey("rsa", "rsa", ""); k.Use = "enc"; p.keys = []any{k} }, invalid},
		"a key for another alg": {func(p *idp) { p.keys = []any{publicKey("rsa", "rsa", "PS256")} }, invalid},
		"a key that is broken": {func(p *idp) {
			p.keys = []any{map[string]string{"kty": "EC", "crv": "P-256", "kid": "rsa", "x": "AA", "y": "AA"}}
		}, invalid},
		"an unknown kind, and ours": {func(p *idp) {
			p.keys = []any{map[string]string{"kty": "lattice", "kid": "rsa"}, publicKey("rsa", "rsa", "RS256")}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			op := startIDP(t)
			op.set(c.change)
			if got := newParty(op, reachable, nil).outcome(t, "rsa"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func private(pair string) any {
	k := publicKey(pair, pair, "")
	k.Key = keyPairs()[pair]
	return k
}

// TestPrivateAddresses: without leave, no provider on this machine is asked.
func TestPrivateAddresses(t *testing.T) {
	p := newParty(startIDP(t), safedial.Guard{}, nil)
	if got := p.outcome(t, "rsa"); got != unavailable {
		t.Errorf("got %q", got)
	}
	if _, requests := p.idp.counts(); requests != 0 {
		t.Errorf("%d requests", requests)
	}
}

// TestCallerGoesAway: a login that gives up does not take the fetch with it.
func TestCallerGoesAway(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	release := make(chan struct{})
	p.idp.set(func(i *idp) {
		i.answer = func(w http.ResponseWriter, r *http.Request) {
			<-release
			i.set(func(i *idp) { i.answer = nil })
			i.ServeHTTP(w, r)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := p.Claims(ctx, login(p.token("rsa"), ""))
		gone <- err
	}()
	eventually(t, "a request", func() bool { _, requests := p.idp.counts(); return requests == 1 })
	cancel()
	var fault *claims.Fault
	if err := <-gone; !errors.As(err, &fault) {
		t.Errorf("got %v", err)
	}
	close(release)
	if got := p.outcome(t, "rsa"); got != "" {
		t.Errorf("the next login: %q", got)
	}
	if fetches, _ := p.idp.counts(); fetches != 1 {
		t.Errorf("%d fetches", fetches)
	}
}

// TestKeysOutliveAReload: what a second source of the same keys needs, the first
// has fetched.
func TestKeysOutliveAReload(t *testing.T) {
	first := newParty(startIDP(t), loopback, nil)
	if got := first.outcome(t, "rsa"); got != "" {
		t.Fatal(got)
	}
	first.idp.set(func(p *idp) { p.answer = down })
	second := first.again()
	if got := second.outcome(t, "rsa"); got != "" {
		t.Errorf("got %q", got)
	}
}
