//go:build unix

package kratostest

import (
	"context"
	"errors"
	"fmt"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"
)

// Kind is how a client talks to Kratos.
type Kind string

// The kinds of clients.
const (
	KindBrowser Kind = "browser" // server-side pages: redirects and forms
	KindSPA     Kind = "spa"     // a page's script: JSON and cookies
	KindAPI     Kind = "api"     // a native app: JSON, a session token, the browser only for the provider
)

// Flows a sign-in can begin as. Kratos turns one into the other as needed.
// StartSettings is for a browser that is signed in: ExtraForm says what is
// changed ("method", and its fields), Subject who signs in at a provider that
// is connected.
const (
	StartLogin        = "login"
	StartRegistration = "registration"
	StartSettings     = "settings"
)

// signInLimit bounds one sign-in; it leaves room for the three attempts that
// Kratos makes at a failing hook. maxHops bounds its redirects.
const (
	signInLimit = 60 * time.Second
	maxHops     = 25
)

// SignIn is one attempt of a person.
type SignIn struct {
	Start    string // StartLogin (default) or StartRegistration
	Kind     Kind   // default KindBrowser
	Provider string // the provider's id in Kratos
	Subject  string // who signs in there; see Provider.SetAccount

	// ExtraJSON and ExtraForm are posted with the flow, beside or in place of
	// method and provider: what a hostile client adds, or what a person filled in. Only
	// one of them can be set. ExtraJSON makes a browser post JSON; ExtraForm
	// makes every kind post a form.
	ExtraJSON map[string]any
	ExtraForm url.Values
}

// Browser is one person's browser or native app: its cookies at Kratos, or its
// session token. At the providers every sign-in starts without cookies, so that
// SignIn.Subject decides who it is. Browsers are independent of each other; a
// single one is for one sign-in at a time.
type Browser struct {
	jar   *cookiejar.Jar
	token string
}

// NewBrowser returns a browser without cookies.
func NewBrowser() *Browser { return &Browser{jar: newJar()} }

func newJar() *cookiejar.Jar {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // cookiejar.New documents that it cannot fail
	}
	return jar
}

// SignIn signs in and returns where that ended. It fails the test only when it
// ended nowhere; call it from the test's own goroutine, elsewhere see Try.
func (b *Browser) SignIn(t testing.TB, k *Kratos, s SignIn) Result {
	t.Helper()
	result, err := b.Try(t.Context(), k, s)
	if err != nil {
		t.Fatalf("sign-in: %v", err)
	}
	return result
}

// Try is SignIn for goroutines beside the test's own. An error means that the
// sign-in ended at no session, page or error page of Kratos.
func (b *Browser) Try(ctx context.Context, k *Kratos, s SignIn) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, signInLimit)
	defer cancel()
	if s.Start == "" {
		s.Start = StartLogin
	}
	if s.Kind == "" {
		s.Kind = KindBrowser
	}
	if s.ExtraForm != nil && s.ExtraJSON != nil {
		return Result{}, errors.New("ExtraJSON and ExtraForm are both set")
	}
	j := &journey{k: k, s: s, b: b, atKratos: newClient(b.jar), atProvider: newClient(newJar())}
	var err error
	if j.begun, err = j.begin(ctx); err != nil {
		return Result{}, fmt.Errorf("begin the %s flow: %w", s.Start, err)
	}
	p, err := j.submit(ctx, j.begun)
	if err != nil {
		return Result{}, fmt.Errorf("submit the %s flow: %w", s.Start, err)
	}
	return j.follow(ctx, p)
}

// Continue goes on at the flow's page where a sign-in of this browser ended, as
// when Kratos wants proof of an account before it connects another provider.
func (b *Browser) Continue(t testing.TB, k *Kratos, r Result, s SignIn) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), signInLimit)
	defer cancel()
	s.Start, s.Kind = r.FlowName, KindBrowser
	j := &journey{k: k, s: s, b: b, atKratos: newClient(b.jar), atProvider: newClient(newJar())}
	f, err := parseFlow(r.Flow)
	if err != nil {
		t.Fatalf("continue: %v", err)
	}
	j.begun = f
	p, err := j.submit(ctx, f)
	if err == nil {
		r, err = j.follow(ctx, p)
	}
	if err != nil {
		t.Fatalf("continue: %v", err)
	}
	return r
}
