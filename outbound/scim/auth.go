package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/jithook/jithook/outbound"
)

// Auth is how requests are authenticated.
type Auth interface {
	// authorize adds the credential to a request.
	authorize(ctx context.Context, r *http.Request, c *client) error
	// refused says that the target did not accept it.
	refused()
}

type bearer string

// Bearer sends a token that does not change.
func Bearer(token string) Auth { return bearer(token) }

func (b bearer) authorize(_ context.Context, r *http.Request, _ *client) error {
	r.Header.Set("Authorization", "Bearer "+string(b))
	return nil
}

func (bearer) refused() {}

type basic struct{ user, password string }

// Basic sends a user and a password.
func Basic(user, password string) Auth { return basic{user, password} }

func (b basic) authorize(_ context.Context, r *http.Request, _ *client) error {
	r.SetBasicAuth(b.user, b.password)
	return nil
}

func (basic) refused() {}

// ClientCredentials are those of an OAuth 2.0 client (RFC 6749, section 4.4).
type ClientCredentials struct {
	TokenURL, ClientID, ClientSecret string
	Scopes                           []string
	// Audience is sent to those token endpoints that ask for one, if not empty.
	Audience string
}

// oauth fetches tokens, one for all requests until it expires or is refused.
type oauth struct {
	config clientcredentials.Config
	// token holds the present one, nil if there is none; whoever has taken it
	// out is alone.
	token chan *oauth2.Token
	// busy is what the token endpoint answered when it asked for time, and when:
	// whoever is alone sees to it.
	busy   *outbound.LaterError
	busyAt time.Time
}

// busyFor is how long the token endpoint is not asked again by deliveries that were
// under way when it asked for time. All others are kept back for as long as it did.
const busyFor = time.Minute

// OAuth2 sends tokens that it fetches by client credentials.
func OAuth2(c ClientCredentials) Auth {
	o := &oauth{
		config: clientcredentials.Config{TokenURL: c.TokenURL, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes},
		token:  make(chan *oauth2.Token, 1),
	}
	if c.Audience != "" {
		o.config.EndpointParams = url.Values{"audience": {c.Audience}}
	}
	o.token <- nil
	return o
}

func (o *oauth) authorize(ctx context.Context, r *http.Request, c *client) error {
	var token *oauth2.Token
	select {
	case token = <-o.token:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { o.token <- token }()
	if !token.Valid() {
		if since := c.now().Sub(o.busyAt); o.busy != nil && since < min(o.busy.After, busyFor) {
			return &outbound.LaterError{After: o.busy.After - since, Err: o.busy.Err}
		}
		endpoint := &tokenEndpoint{transport: c.http.Transport, now: c.now}
		through := &http.Client{Transport: endpoint, CheckRedirect: c.http.CheckRedirect}
		fresh, err := o.config.Token(context.WithValue(ctx, oauth2.HTTPClient, through))
		switch {
		case err != nil && endpoint.busy != nil:
			o.busy, o.busyAt = endpoint.busy, c.now()
			return endpoint.busy
		case err != nil:
			// Its text has the reply.
			return errors.New("the token endpoint gave no token")
		}
		token = fresh
	}
	token.SetAuthHeader(r)
	return nil
}

// tokenEndpoint is the way to the token endpoint for one token. Where it asks for
// time it gets it, as a target does: it is not asked once more by the other of the
// two ways in which a client may say who it is, which oauth2 tries after a failure.
type tokenEndpoint struct {
	transport http.RoundTripper
	now       func() time.Time
	busy      *outbound.LaterError // nil until it has asked for time
}

// RoundTrip implements http.RoundTripper.
func (e *tokenEndpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	if e.busy != nil {
		return nil, e.busy
	}
	answer, err := e.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if after, asks := asksForTime(answer, e.now()); asks {
		e.busy = &outbound.LaterError{After: after, Err: fmt.Errorf("the token endpoint gave no token: it answered %d", answer.StatusCode)}
	}
	return answer, nil
}

// refused drops the token: it may have been withdrawn.
func (o *oauth) refused() {
	<-o.token
	o.token <- nil
}
