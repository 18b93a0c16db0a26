package doctor

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jithook/jithook/kratos/setup"
)

const (
	// slow is how late an answer is that jithook has not given in time: it ends
	// every decision earlier by itself.
	slow = 2 * time.Second
	// probeTimeout bounds one probe; Kratos would wait as long, three times.
	probeTimeout = 30 * time.Second
)

// Probe asks every address that our hooks in a configuration have, as Kratos
// would and with what Kratos would prove itself by, but with a body that nothing
// can be decided about: whoever is jithook refuses it once it has taken the key.
// It does not prove that Kratos reaches the address, which is another machine. Where
// one address never answers, others of the same server are not waited for.
func Probe(ctx context.Context, now func() time.Time, config map[string]any, hookURL string, fetch setup.Fetch) []Finding {
	ours := setup.Ours{HookURL: hookURL, Fetch: fetch}
	client := &http.Client{
		Timeout:       probeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var found []Finding
	asked, silent := map[string]bool{}, map[string]bool{}
	for _, l := range setup.Lists(config) {
		for i, h := range l.Hooks {
			if ours.Endpoint(h) == "" {
				continue
			}
			to, _ := setup.At(h, "config", "url").(string)
			header, _ := setup.At(h, "config", "auth", "config", "name").(string)
			key, _ := setup.At(h, "config", "auth", "config", "value").(string)
			if asked[to+"\n"+header+"\n"+key] || silent[host(to)] {
				continue
			}
			asked[to+"\n"+header+"\n"+key] = true
			began := now()
			code, text := probe(ctx, client, to, header, key)
			silent[host(to)] = text == noAnswer
			if code == "" && now().Sub(began) > slow {
				code, text = CodeHookSlow, fmt.Sprintf("the answer took more than %s; Kratos lets people wait for it", slow)
			}
			if code != "" {
				found = append(found, Finding{code, at(l.Path, i), text})
			}
		}
	}
	return found
}

// noAnswer is said of an address that was waited for in vain.
var noAnswer = fmt.Sprintf("no answer within %s", probeTimeout)

// host is whom a URL names; "" if nobody.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// probe returns what is wrong with one address, "" if nothing is.
func probe(ctx context.Context, client *http.Client, to, header, key string) (Code, string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(`{}`))
	if err != nil {
		return CodeHookUnreachable, "it is no URL that can be called"
	}
	r.Header.Set("Content-Type", "application/json")
	if header != "" {
		r.Header.Set(header, key)
	}
	reply, err := client.Do(r)
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return CodeHookSlow, noAnswer
	case err != nil:
		return CodeHookUnreachable, "nobody answers there"
	}
	defer reply.Body.Close()
	media, _, _ := mime.ParseMediaType(reply.Header.Get("Content-Type"))
	switch {
	case reply.StatusCode == http.StatusUnauthorized || reply.StatusCode == http.StatusForbidden:
		return CodeKeyDiffers, fmt.Sprintf("who answers there refuses Kratos's key (status %d)", reply.StatusCode)
	case reply.StatusCode == http.StatusBadRequest && media == "application/problem+json":
		return "", ""
	}
	return CodeHookUnreachable, fmt.Sprintf("who answers there is not jithook (status %d)", reply.StatusCode)
}
