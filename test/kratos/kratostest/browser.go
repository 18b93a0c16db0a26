//go:build unix

package kratostest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
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

// newClient returns a client that shows redirects instead of following them.
func newClient(jar http.CookieJar) *http.Client {
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// journey is one sign-in on its way.
type journey struct {
	k     *Kratos
	s     SignIn
	b     *Browser
	begun flow // the flow as begin made it

	atKratos, atProvider *http.Client
}

// place is a reply with the URL that it came from.
type place struct {
	url      *url.URL
	status   int
	location string
	body     []byte
}

// begin makes the flow.
func (j *journey) begin(ctx context.Context) (flow, error) {
	path := "/self-service/" + j.s.Start + "/browser"
	if j.s.Kind == KindAPI {
		path = "/self-service/" + j.s.Start + "/api?" + url.Values{
			"return_session_token_exchange_code": {"true"}, "return_to": {j.k.ends.page(pageNative)},
		}.Encode()
	}
	p, err := j.send(ctx, http.MethodGet, j.k.PublicURL+path, "", nil)
	if err != nil {
		return flow{}, err
	}
	body := p.body
	if j.s.Kind == KindBrowser {
		at, err := p.next()
		if err != nil {
			return flow{}, err
		}
		id := at.Query().Get("flow")
		if id == "" {
			return flow{}, errors.New("Kratos made no flow: a browser that is signed in already needs no sign-in, take a new one")
		}
		if body, err = j.fetchFlow(ctx, j.s.Start, id); err != nil {
			return flow{}, err
		}
	} else if p.status != http.StatusOK {
		return flow{}, p.unexpected()
	}
	return parseFlow(body)
}

// submit posts the choice of the provider.
func (j *journey) submit(ctx context.Context, f flow) (place, error) {
	if j.s.ExtraForm != nil || (j.s.Kind == KindBrowser && j.s.ExtraJSON == nil) {
		form := url.Values{"method": {"oidc"}, "csrf_token": {f.csrf()}}
		if j.s.Provider != "" {
			form.Set("provider", j.s.Provider)
		}
		for name, values := range j.s.ExtraForm {
			form[name] = values
		}
		return j.send(ctx, http.MethodPost, f.UI.Action, "application/x-www-form-urlencoded", []byte(form.Encode()))
	}
	fields := map[string]any{"method": "oidc", "provider": j.s.Provider}
	if token := f.csrf(); token != "" {
		fields["csrf_token"] = token
	}
	for name, value := range j.s.ExtraJSON {
		fields[name] = value
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return place{}, err
	}
	return j.send(ctx, http.MethodPost, f.UI.Action, "application/json", body)
}

// follow goes from reply to reply until Kratos sends the person to one of its
// pages, or answers itself.
func (j *journey) follow(ctx context.Context, p place) (Result, error) {
	for range maxHops {
		next, err := j.nextURL(ctx, &p)
		if err != nil {
			return Result{}, err
		}
		if next == nil {
			return answered(p)
		}
		if name, ok := strings.CutPrefix(next.String(), j.k.PublicURL+uiPath); ok {
			name, _, _ = strings.Cut(name, "?")
			return j.land(ctx, name, next)
		}
		if p, err = j.send(ctx, http.MethodGet, next.String(), "", nil); err != nil {
			return Result{}, err
		}
	}
	return Result{}, fmt.Errorf("no end after %d hops, last at %s", maxHops, p.where())
}

// nextURL returns where p leads: by a redirect, by Kratos's order to a script
// (422), or by the provider's login form, which it fills in. Nil means that p is
// Kratos's answer.
func (j *journey) nextURL(ctx context.Context, p *place) (*url.URL, error) {
	if p.location != "" {
		return p.next()
	}
	if p.url.Host != j.kratosHost() {
		filled, err := j.fillLoginForm(ctx, *p)
		if err != nil {
			return nil, err
		}
		*p = filled
		return p.next()
	}
	if p.status == http.StatusUnprocessableEntity {
		var order struct {
			To string `json:"redirect_browser_to"`
		}
		if err := json.Unmarshal(p.body, &order); err != nil || order.To == "" {
			return nil, p.unexpected()
		}
		return url.Parse(order.To)
	}
	return nil, nil
}

func (j *journey) fillLoginForm(ctx context.Context, p place) (place, error) {
	_, rest, ok := strings.Cut(string(p.body), `<form method="post" action="`)
	action, _, closed := strings.Cut(rest, `"`)
	if p.status != http.StatusOK || !ok || !closed {
		return place{}, p.unexpected()
	}
	at, err := p.url.Parse(action)
	if err != nil {
		return place{}, err
	}
	form := url.Values{"login": {j.s.Subject}, "password": {"any"}}
	return j.send(ctx, http.MethodPost, at.String(), "application/x-www-form-urlencoded", []byte(form.Encode()))
}

func (j *journey) kratosHost() string { return strings.TrimPrefix(j.k.PublicURL, "http://") }

// send makes one request, with the cookies of the place it goes to. Only a
// script and an app ask Kratos's flow endpoints for JSON; the hops between the
// parties are always a browser's.
func (j *journey) send(ctx context.Context, method, to, contentType string, body []byte) (place, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return place{}, err
	}
	accept, client := "text/html,application/xhtml+xml", j.atProvider
	if req.URL.Host == j.kratosHost() {
		client = j.atKratos
		if j.s.Kind != KindBrowser && !strings.Contains(req.URL.Path, "/methods/") {
			accept = "application/json"
		}
	}
	req.Header.Set("Accept", accept)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return place{}, fmt.Errorf("%s %s: %w", method, place{url: req.URL}.where(), errors.Unwrap(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return place{url: req.URL, status: resp.StatusCode, location: resp.Header.Get("Location"), body: text}, err
}

// next returns where a redirect leads.
func (p place) next() (*url.URL, error) {
	if p.location == "" {
		return nil, p.unexpected()
	}
	return p.url.Parse(p.location)
}

// where names the place without its query, which holds codes and states.
func (p place) where() string { return p.url.Scheme + "://" + p.url.Host + p.url.Path }

func (p place) unexpected() error {
	return fmt.Errorf("unexpected status %d from %s: %.500s", p.status, p.where(), p.body)
}
