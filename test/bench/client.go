//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/jithook/jithook/test/server"
)

// patience is how long a caller waits for an answer.
const patience = 10 * time.Second

// client calls one server.
type client struct {
	url  string
	http *http.Client
}

func newClient(url string) *client {
	return &client{url, &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}}
}

// login signs somebody in. Good is an answer with the identity.
func (c *client) login(provider string, person int64) Answer {
	return c.post(http.StatusOK, request(provider, person))
}

func request(provider string, person int64) []byte {
	return fmt.Appendf(nil, `{"version":1,"provider":%q,"subject":%q,"claims":`+claims+`}`, provider, subject(person), person, person)
}

// knows fails unless nothing changes when somebody signs in: otherwise the filling of
// a store would be measured.
func (c *client) knows(t testing.TB, person int64) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader(request("acme", person)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", server.Secret)
	reply, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || !bytes.Contains(text, []byte(`"decision":"unchanged"`)) {
		t.Fatalf("person %d: %v, %s", person, err, text)
	}
}

// Who a person is, as claims say it.
func subject(person int64) string { return fmt.Sprintf("s-%08d", person) }
func name(person int64) string    { return fmt.Sprintf("Person %d", person) }
func email(person int64) string   { return fmt.Sprintf("p%d@example.test", person) }

// post is an answer with the status want, or one that says busy, or a bad one.
func (c *client) post(want int, body []byte) Answer {
	r, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return Bad
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", server.Secret)
	reply, err := c.http.Do(r)
	if err != nil {
		return Bad
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return Bad
	}
	return judge(reply, want)
}

func judge(reply *http.Response, want int) Answer {
	switch {
	case reply.StatusCode == want:
		return Good
	case reply.StatusCode == http.StatusServiceUnavailable && reply.Header.Get("Retry-After") != "":
		return Shed
	}
	return Bad
}

// claims is what a provider says of a person, whose number it takes twice; file
// is what a provider's file makes of it.
const claims = `{"name":"Person %d","email":"p%d@example.test","email_verified":true,"department":"engineering","locale":"en",` +
	`"groups":["staff","eng","oncall","a-1","a-2","a-3","a-4"]}`

func file(provider string) string {
	return fmt.Sprintf(`
version: 1
provider: %[1]s
issuer: https://%[1]s.example.test
trust: {email_verified: true}
jit: {enabled: true, deny: [{when: "has(claims.guest)", code: guest, message: No guests.}]}
traits:
  name: {value: claims.name, required: true}
  email: {value: claims.email, verified: claims.email_verified}
  department: {value: claims.department}
  locale: {value: claims.locale}
groups: {from: claims.groups, allow: [staff, eng, oncall]}
`, provider)
}
