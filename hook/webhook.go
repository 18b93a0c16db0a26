package hook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/provision"
)

// Webhook is a credential that signs requests and is never sent: Standard
// Webhooks 1.0.0, with symmetric signatures ("v1"). Its endpoint is
// EndpointLogin.
type Webhook struct {
	Caller
	// Secrets are spelt as the standard says: whsec_ and 24 to 64 bytes in base64.
	Secrets []string
}

// Tolerance is how far the timestamp of a signed request may be off.
const Tolerance = 5 * time.Minute

// Headers of Standard Webhooks.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Bounds of what a stranger sends along with a signed request.
const (
	maxMessageID  = 255 // bytes
	maxSignatures = 8
	// smallBody is what a stranger's body may have before it needs one of
	// largeBodies places: as much as the header, for which nobody asks either.
	smallBody   = 64 << 10
	largeBodies = 16
)

// Lengths of a secret, in bytes (Standard Webhooks 1.0.0, "Symmetric").
const (
	minSecret = 24
	maxSecret = 64
)

// signer is one secret of a Webhook.
type signer struct {
	caller Caller
	secret []byte
}

// parseSecret returns the bytes of a secret. Errors hold nothing of it.
func parseSecret(s string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s, "whsec_")
	secret, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(secret) < minSecret || len(secret) > maxSecret {
		return nil, fmt.Errorf("has a secret that is not whsec_ and %d to %d bytes in base64", minSecret, maxSecret)
	}
	return secret, nil
}

// message is what the headers of a signed request say.
type message struct {
	id         string
	timestamp  string // Unix time in seconds, as it was signed
	signatures [][]byte
}

// isSigned reports whether r has anything of a signed request.
func isSigned(r *http.Request) bool {
	return r.Header.Get(headerID) != "" || r.Header.Get(headerTimestamp) != "" || r.Header.Get(headerSignature) != ""
}

// readMessage reads the headers of a signed request. What they say is not
// proven yet. Errors: *Refusal.
func readMessage(h http.Header, now time.Time) (message, error) {
	for _, name := range []string{headerID, headerTimestamp, headerSignature} {
		if len(h.Values(name)) != 1 {
			return message{}, refuse(RefusedMalformed, "a signed request has webhook-id, webhook-timestamp and webhook-signature, each once")
		}
	}
	m := message{id: h.Get(headerID), timestamp: h.Get(headerTimestamp)}
	if len(m.id) > maxMessageID || strings.ContainsFunc(m.id, func(c rune) bool { return c < '!' || c > '~' }) {
		return message{}, refuse(RefusedMalformed, fmt.Sprintf("webhook-id is 1 to %d visible ASCII characters", maxMessageID))
	}
	seconds, err := strconv.ParseInt(m.timestamp, 10, 64)
	if err != nil {
		return message{}, refuse(RefusedMalformed, "webhook-timestamp is a Unix time in seconds")
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > Tolerance || off < -Tolerance {
		return message{}, refuse(RefusedTimestamp, fmt.Sprintf("webhook-timestamp is more than %s off this server's clock", Tolerance))
	}
	listed := h.Get(headerSignature)
	if strings.Count(listed, " ") >= maxSignatures {
		return message{}, refuse(RefusedMalformed, fmt.Sprintf("webhook-signature lists at most %d signatures", maxSignatures))
	}
	for _, s := range strings.Split(listed, " ") {
		encoded, v1 := strings.CutPrefix(s, "v1,")
		if signature, err := base64.StdEncoding.DecodeString(encoded); v1 && err == nil && len(signature) == sha256.Size {
			m.signatures = append(m.signatures, signature)
		}
	}
	if len(m.signatures) == 0 {
		return message{}, refuse(RefusedSignature, "webhook-signature lists no signature of version v1")
	}
	return m, nil
}

// signed returns who signed the request, having read its body, which it puts
// back. Errors: *Refusal, *problem.Problem.
//
// It is the standard library's HMAC and not the project's own library for it,
// which copies the body twice for every secret before it has looked at one:
// here a stranger's megabyte is read once, and each secret streams over it.
func (a *Auth) signed(r *http.Request) (Caller, *provision.Delivery, error) {
	m, err := readMessage(r.Header, a.now())
	if err != nil {
		return Caller{}, nil, err
	}
	if len(a.signers) == 0 {
		return Caller{}, nil, refuse(RefusedUnknown, noneKnown)
	}
	body, release, err := a.readBody(r)
	defer release()
	if err != nil {
		return Caller{}, nil, err
	}
	// All secrets and signatures are looked at, whatever matched.
	found := -1
	for n, s := range a.signers {
		mac := hmac.New(sha256.New, s.secret)
		io.WriteString(mac, m.id+"."+m.timestamp+".") // a hash never fails
		mac.Write(body)
		want := mac.Sum(nil)
		for _, signature := range m.signatures {
			if hmac.Equal(want, signature) && found < 0 {
				found = n
			}
		}
	}
	if found < 0 {
		return Caller{}, nil, refuse(RefusedSignature, "no secret that is known here made any of the signatures")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	caller := a.signers[found].caller
	return caller, &provision.Delivery{
		ID: m.id, Key: text(digest(caller.Name, m.id)), Digest: text(digest(m.id, string(body))),
		// A timestamp may lie ahead by the tolerance and is good for as long
		// after; another server's clock may be off by a little.
		Expires: a.now().Add(2*Tolerance + time.Minute),
	}, nil
}

var errBusy = problem.New(http.StatusServiceUnavailable, "too many large bodies are being read; try again")

// readBody reads a body of which nobody knows yet who sent it. release is to be
// called when it was judged: large ones hold a place until then, so that
// strangers cannot fill the memory. Small ones never wait.
func (a *Auth) readBody(r *http.Request) (body []byte, release func(), err error) {
	release = func() {}
	var read bytes.Buffer
	if _, err := read.ReadFrom(io.LimitReader(r.Body, smallBody)); err != nil {
		return nil, release, problem.OfBody(err)
	}
	if read.Len() < smallBody {
		return read.Bytes(), release, nil
	}
	select {
	case a.large <- struct{}{}:
		release = func() { <-a.large }
	case <-r.Context().Done():
		return nil, release, errBusy
	}
	if rest := int(r.ContentLength) - read.Len(); rest > 0 { // no more than MaxBody, see bound
		read.Grow(rest + bytes.MinRead)
	}
	if _, err := read.ReadFrom(r.Body); err != nil {
		return nil, release, problem.OfBody(err)
	}
	return read.Bytes(), release, nil
}

func text(digest [sha256.Size]byte) string { return base64.RawURLEncoding.EncodeToString(digest[:]) }
