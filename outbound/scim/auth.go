package scim

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Auth is how requests are authenticated.
type Auth interface {
	// authorize adds the credential to a request.
	authorize(ctx context.Context, r *http.Request, client *http.Client) error
	// refused says that the target did not accept it.
	refused()
}

type bearer string

// Bearer sends a token that does not change.
func Bearer(token string) Auth { return bearer(token) }

func (b bearer) authorize(_ context.Context, r *http.Request, _ *http.Client) error {
	r.Header.Set("Authorization", "Bearer "+string(b))
	return nil
}

func (bearer) refused() {}

type basic struct{ user, password string }

// Basic sends a user and a password.
func Basic(user, password string) Auth { return basic{user, password} }

func (b basic) authorize(_ context.Context, r *http.Request, _ *http.Client) error {
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
}

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

func (o *oauth) authorize(ctx context.Context, r *http.Request, client *http.Client) error {
	var token *oauth2.Token
	select {
	case token = <-o.token:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { o.token <- token }()
	if !token.Valid() {
		fresh, err := o.config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
		if err != nil {
			// Its text has the reply.
			return errors.New("the token endpoint gave no token")
		}
		token = fresh
	}
	token.SetAuthHeader(r)
	return nil
}

// refused drops the token: it may have been withdrawn.
func (o *oauth) refused() {
	<-o.token
	o.token <- nil
}
