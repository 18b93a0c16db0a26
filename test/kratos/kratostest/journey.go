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
	"net/url"
	"strings"
)

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
