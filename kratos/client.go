package kratos

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	ory "github.com/ory/client-go"

	"github.com/jithook/jithook/internal/strictjson"
)

// newClient returns Ory's client of the API at a URL. The token is sent as a
// bearer token, if there is one.
func newClient(base, token string, timeout time.Duration, transport http.RoundTripper) *ory.APIClient {
	config := ory.NewConfiguration()
	config.Servers = ory.ServerConfigurations{{URL: strings.TrimSuffix(base, "/")}}
	config.OperationServers = nil // some name a host of Ory's
	config.UserAgent = "jithook"
	if token != "" {
		config.DefaultHeader["Authorization"] = "Bearer " + token
	}
	config.HTTPClient = &http.Client{
		Transport: transport,
		Timeout:   timeout,
		// A redirect would carry the token to another place, and turn a write
		// into a read.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return ory.NewAPIClient(config)
}

// limited bounds what a reply may cost: the client reads it whole.
type limited struct {
	next  http.RoundTripper
	bytes int64
}

func (b limited) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := b.next.RoundTrip(r)
	if err == nil {
		reply.Body = http.MaxBytesReader(nil, reply.Body, b.bytes)
	}
	return reply, err
}

// answers is how an API's replies are read.
type answers struct {
	from string // as errors name it
	most int64  // bytes of a reply
	// refusal says what a reply of that API means; nil says that its status alone
	// tells.
	refusal func(*http.Response) error
}

// read turns what the client returned into a value or an error. The client has
// read the reply whole; its own decoding is not used, because it makes floats of
// large numbers and takes the last of two members with one name.
func (a answers) read(reply *http.Response, err error, call string, into any) error {
	fail := func(err error) error { return fmt.Errorf("%s: %s: %w", a.from, call, err) }
	var large *http.MaxBytesError
	var transport *url.Error
	switch {
	case errors.As(err, &large):
		return fail(fmt.Errorf("the reply is longer than %d bytes", a.most))
	case reply == nil && errors.As(err, &transport):
		return fail(transport.Err) // without the URL, which holds identifiers
	case reply == nil:
		return fail(errors.New("the request could not be made"))
	}
	if err := a.refusal(reply); err != nil {
		return fail(err)
	}
	switch {
	case reply.StatusCode < 200 || reply.StatusCode > 299:
		return fail(fmt.Errorf("status %d", reply.StatusCode))
	case into == nil:
		return nil
	}
	if err := strictjson.Decode(reply.Body, into); err != nil {
		return fail(errors.New("the reply cannot be read"))
	}
	return nil
}
