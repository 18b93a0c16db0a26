package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/jithook/jithook/kratos/setup"
)

// fetchTimeout bounds how long a template of Ory Network is waited for, and
// maxRedirects how often it may be elsewhere.
const (
	fetchTimeout = 10 * time.Second
	maxRedirects = 5
)

// fromWeb reads what Ory Network has put at an address of its own: it keeps no
// template in the configuration itself. Over https, so that nobody on the way
// can say that an old one is the new one; or from the console's own address. Each
// address is asked once: a configuration is looked at many times, and one of somebody
// else's that nobody answers at would be waited for as often.
func fromWeb(ctx context.Context, console string) setup.Fetch {
	trusted := func(u *url.URL) error {
		if at, err := url.Parse(console); err != nil || u.Scheme != "https" && (u.Scheme != at.Scheme || u.Host != at.Host) {
			return errors.New("no https URL")
		}
		return nil
	}
	client := &http.Client{Timeout: fetchTimeout, CheckRedirect: func(r *http.Request, before []*http.Request) error {
		if len(before) == maxRedirects {
			return errors.New("too many redirects")
		}
		return trusted(r.URL)
	}}
	get := func(address string) ([]byte, error) {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		if err := trusted(u); err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		reply, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer reply.Body.Close()
		if reply.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %d", reply.StatusCode)
		}
		return io.ReadAll(io.LimitReader(reply.Body, maxConfig))
	}
	type answer struct {
		data []byte
		err  error
	}
	known := map[string]answer{}
	return func(address string) ([]byte, error) {
		a, ok := known[address]
		if !ok {
			a.data, a.err = get(address)
			known[address] = a
		}
		return a.data, a.err
	}
}
