// Package webhook tells a receiver of identities by signed requests: Standard
// Webhooks 1.0.0, with symmetric signatures.
//
// It owns what a message says, its id and its signature, and what an answer
// means. It must not know who goes out nor when (packages outbound, provision).
// No error of it holds a value of the identity or a word of the receiver.
package webhook

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/outbound"
)

// Lengths of a secret, in bytes (Standard Webhooks 1.0.0, "Symmetric").
const (
	minSecret = 24
	maxSecret = 64
)

// maxReply bounds what is read of an answer, in bytes: nothing of it counts but
// its status.
const maxReply = 64 << 10

// Options say who is told.
type Options struct {
	URL string
	// Secrets sign every message, each for itself: while one is exchanged, the
	// new and the old one. Spelt whsec_ and 24 to 64 bytes in base64.
	Secrets []string
	Guard   safedial.Guard
	Now     func() time.Time
}

// Connector tells one receiver.
type Connector struct {
	url     string
	signers []*standardwebhooks.Webhook
	http    *http.Client
	now     func() time.Time
}

var (
	_ outbound.Connector = (*Connector)(nil)
	_ outbound.Intender  = (*Connector)(nil)
)

// CheckURL returns why nobody can be told at a URL, or nil.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("a receiver's URL has a host, no user and no fragment")
	}
	return safedial.Secure(u)
}

// New returns a connector; it connects to nobody. Errors hold nothing of a
// secret.
func New(o Options) (*Connector, error) {
	if err := CheckURL(o.URL); err != nil {
		return nil, err
	}
	c := &Connector{url: o.URL, http: outbound.NewHTTP(o.Guard), now: o.Now}
	for _, s := range o.Secrets {
		encoded, ok := strings.CutPrefix(s, "whsec_")
		key, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
			return nil, fmt.Errorf("the secret is not whsec_ and %d to %d bytes in base64", minSecret, maxSecret)
		}
		signer, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, errors.New("the secret cannot sign")
		}
		c.signers = append(c.signers, signer)
	}
	if len(c.signers) == 0 {
		return nil, errors.New("a receiver needs a secret, or anybody could speak in jithook's name")
	}
	return c, nil
}

// Deliver implements outbound.Connector. The message's id is that of the
// identity's revision, and of how often that was told otherwise before: whoever
// has seen it has seen what it says.
func (c *Connector) Deliver(ctx context.Context, i identity.Identity, d identity.Delivery) (identity.Resource, error) {
	has, _ := i.Resource(d.Target)
	known, now := plan(&i, d)
	if now == nil {
		return has, nil
	}
	body, err := json.Marshal(newMessage(&i, now.Events))
	if err != nil {
		return has, &outbound.RejectedError{Err: errors.New("a trait cannot be written as JSON")}
	}
	if err := c.send(ctx, now.id(i.ID), body); err != nil {
		has.Told = writeNote(known, now)
		return has, err
	}
	now.Events = nil
	has.Told = writeNote(now, nil)
	return has, nil
}

// send signs and posts a message.
func (c *Connector) send(ctx context.Context, id string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the receiver's URL is none")
	}
	at := c.now()
	var signatures []string
	for _, s := range c.signers {
		signature, err := s.Sign(id, at, body)
		if err != nil {
			return errors.New("the message cannot be signed")
		}
		signatures = append(signatures, signature)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "jithook")
	r.Header.Set(standardwebhooks.HeaderWebhookID, id)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	answer, err := c.http.Do(r)
	if err != nil {
		return unreachable(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxReply)) // the connection is used again
	return c.meaning(answer)
}

// meaning is what an answer means. What may be about all messages alike, such as
// the URL, gives none of them up; nor does 410, with which the standard has a
// receiver ask to be told no more: that is for a person to decide.
func (c *Connector) meaning(answer *http.Response) error {
	status := answer.StatusCode
	if status >= 200 && status <= 299 {
		return nil
	}
	err := fmt.Errorf("the receiver answered %d", status)
	if after, asks := outbound.RetryAfter(answer.Header, c.now()); asks && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) {
		return &outbound.LaterError{After: after, Err: err}
	}
	if slices.Contains([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, status) {
		return &outbound.RejectedError{Err: err}
	}
	return err
}

// unreachable is the error of a request without an answer, without its URL, in
// which a token may stand.
func unreachable(err error) error {
	if forbidden, ok := errors.AsType[*safedial.ForbiddenError](err); ok {
		return fmt.Errorf("the receiver is not called: %w", forbidden)
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("the receiver did not answer in time")
	}
	return errors.New("the receiver cannot be reached, or broke off")
}
