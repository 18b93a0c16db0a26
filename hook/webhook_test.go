package hook_test

// These tests prove who may sign: only who has the secret, for this very body and
// id, in time. The project's own library makes the signatures.

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/jithook/jithook/hook"
)

// whsec is a secret of so many bytes.
func whsec(seed string, length int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(seed, length)))
}

// clock is the time of the server.
var clock = time.Unix(1_800_000_000, 0)

var newSecret, oldSecret, otherSecret = whsec("n", 24), whsec("o", 64), whsec("x", 32)

func signing(t testing.TB) *hook.Auth {
	t.Helper()
	a, err := hook.NewAuth(hook.Credentials{
		APIKeys:  []hook.APIKey{{Caller: caller("login", hook.EndpointLogin), Header: "X-Login-Key", Values: []string{"login-key"}}},
		Webhooks: []hook.Webhook{{Caller: caller("signer", hook.EndpointLogin), Secrets: []string{newSecret, oldSecret}}},
		Now:      func() time.Time { return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sign is the signature of a request.
func sign(t testing.TB, secret, id string, at time.Time, body string) string {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := w.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// signedHeader is that of a request with this signature.
func signedHeader(id string, at time.Time, signature string) http.Header {
	return http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {id},
		"Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {signature},
	}
}

// send posts to a hook and returns the status and the answer.
func send(t testing.TB, url string, h http.Header, body io.Reader) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	answer, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(answer)
}

const signedBody = `{"a":1}`

func TestS1_Timestamps(t *testing.T) {
	for name, c := range map[string]struct {
		off    time.Duration
		status int
	}{
		"now":         {0, 200},
		"300 s late":  {-300 * time.Second, 200},
		"300 s ahead": {300 * time.Second, 200},
		"301 s late":  {-301 * time.Second, 401},
		"301 s ahead": {301 * time.Second, 401},
		"an age ago":  {-clock.Sub(time.Unix(1, 0)), 401},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, io.Discard, signing(t))
			at := clock.Add(c.off)
			status, answer := send(t, s.URL+"/hooks/read", signedHeader("m-1", at, sign(t, newSecret, "m-1", at, signedBody)), strings.NewReader(signedBody))
			if status != c.status {
				t.Errorf("%d %s, want %d", status, answer, c.status)
			}
		})
	}
}

func TestS4_Signatures(t *testing.T) {
	good, old := sign(t, newSecret, "m-1", clock, signedBody), sign(t, oldSecret, "m-1", clock, signedBody)
	bad := sign(t, otherSecret, "m-1", clock, signedBody)
	unknown := "v1a," + strings.TrimPrefix(good, "v1,")
	many := func(n int, last string) string { return strings.Repeat(bad+" ", n-1) + last }
	for name, c := range map[string]struct {
		listed string
		status int
	}{
		"good":                       {good, 200},
		"the old secret":             {old, 200},
		"bad, then good":             {bad + " " + good, 200},
		"good, then bad":             {good + " " + bad, 200},
		"unknown version, then good": {unknown + " v2,x " + good, 200},
		"as many as may be":          {many(8, good), 200},
		"one more":                   {many(9, good), 401},
		"bad":                        {bad, 401},
		"only unknown versions":      {unknown + " v2,x", 401},
		"without a version":          {strings.TrimPrefix(good, "v1,"), 401},
		"a part of it":               {good[:len(good)-4], 401},
		"nothing of it":              {"v1,", 401},
		"another separator":          {bad + "," + good, 401},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, io.Discard, signing(t))
			status, answer := send(t, s.URL+"/hooks/read", signedHeader("m-1", clock, c.listed), strings.NewReader(signedBody))
			if status != c.status || status == 200 && answer != "signer" {
				t.Errorf("%d %s, want %d", status, answer, c.status)
			}
		})
	}
}

// TestSignedRequests: what was signed is what counts, and one credential only.
func TestSignedRequests(t *testing.T) {
	good := sign(t, newSecret, "m-1", clock, signedBody)
	set := func(name string, values ...string) func(http.Header) { return func(h http.Header) { h[name] = values } }
	long := strings.Repeat("i", 255)
	for name, c := range map[string]struct {
		change func(http.Header)
		body   string
		path   string
		status int
	}{
		"another body":           {func(http.Header) {}, `{"a":2}`, "/hooks/read", 401},
		"another id":             {set("Webhook-Id", "m-2"), signedBody, "/hooks/read", 401},
		"another time":           {set("Webhook-Timestamp", strconv.FormatInt(clock.Unix()+1, 10)), signedBody, "/hooks/read", 401},
		"no id":                  {set("Webhook-Id"), signedBody, "/hooks/read", 401},
		"no time":                {set("Webhook-Timestamp"), signedBody, "/hooks/read", 401},
		"no signature":           {set("Webhook-Signature"), signedBody, "/hooks/read", 401},
		"two ids":                {set("Webhook-Id", "m-1", "m-1"), signedBody, "/hooks/read", 401},
		"a time with a sign":     {set("Webhook-Timestamp", "+"+strconv.FormatInt(clock.Unix(), 10)), signedBody, "/hooks/read", 401},
		"a time that is no Unix": {set("Webhook-Timestamp", "2027-01-15T08:00:00Z"), signedBody, "/hooks/read", 401},
		"a long id":              {setAll(signedHeader(long, clock, sign(t, newSecret, long, clock, signedBody))), signedBody, "/hooks/read", 200},
		"too long an id":         {setAll(signedHeader(long+"i", clock, sign(t, newSecret, long+"i", clock, signedBody))), signedBody, "/hooks/read", 401},
		"an id with a space":     {setAll(signedHeader("m 1", clock, sign(t, newSecret, "m 1", clock, signedBody))), signedBody, "/hooks/read", 401},
		"a key as well":          {set("X-Login-Key", "login-key"), signedBody, "/hooks/read", 400},
		"a bad key as well":      {set("X-Login-Key", "bad"), signedBody, "/hooks/read", 400},
		"a bearer as well":       {set("Authorization", "Bearer login-key"), signedBody, "/hooks/read", 400},
		"a part of it and a key": {setAll(http.Header{"Webhook-Id": {"m-1"}, "X-Login-Key": {"login-key"}}), signedBody, "/hooks/read", 400},
		"not JSON":               {set("Content-Type", "text/plain"), signedBody, "/hooks/read", 415},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, io.Discard, signing(t))
			h := signedHeader("m-1", clock, good)
			c.change(h)
			if status, answer := send(t, s.URL+c.path, h, strings.NewReader(c.body)); status != c.status {
				t.Errorf("%d %s, want %d", status, answer, c.status)
			}
		})
	}
}

// setAll replaces the whole header.
func setAll(all http.Header) func(http.Header) {
	return func(h http.Header) {
		clear(h)
		for name, values := range all {
			h[name] = values
		}
	}
}

// TestS13_SignedBodies: a body is bounded before anybody looks who signed it, and
// one that is large but within its bound is read whole.
func TestS13_SignedBodies(t *testing.T) {
	for name, c := range map[string]struct {
		length int
		secret string
		status int
	}{
		"a megabyte":              {hook.MaxBody, newSecret, 200},
		"more":                    {hook.MaxBody + 1, newSecret, 413},
		"64 KiB":                  {64 << 10, newSecret, 200},
		"a megabyte, signed bad":  {hook.MaxBody, otherSecret, 401},
		"much more, signed badly": {8 * hook.MaxBody, otherSecret, 413},
	} {
		for _, how := range []string{"with a length", "chunked"} {
			t.Run(name+" "+how, func(t *testing.T) {
				s := serverOf(t, io.Discard, signing(t))
				body := strings.Repeat(" ", c.length)
				var reader io.Reader = strings.NewReader(body)
				if how == "chunked" {
					reader = io.MultiReader(reader)
				}
				status, answer := send(t, s.URL+"/hooks/read", signedHeader("m-1", clock, sign(t, c.secret, "m-1", clock, body)), reader)
				if status != c.status {
					t.Errorf("%d %s, want %d", status, answer, c.status)
				}
			})
		}
	}
}

// FuzzSignature: whoever does not have the secret is nobody, whatever he sends.
func FuzzSignature(f *testing.F) {
	f.Add("m-1", "1800000000", sign(f, otherSecret, "m-1", clock, signedBody), []byte(signedBody))
	f.Add("m-1.1800000000", "-0", "v1, v1,, v1a,AAAA v1,"+strings.Repeat("A", 44), []byte("{"))
	a := signing(f)
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		r, err := http.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		if caller, delivery, err := a.Authenticate(r); err == nil || delivery != nil || caller.Name != "" {
			t.Errorf("%q, %v", caller.Name, err)
		}
	})
}
