package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

const (
	// slowTimeout bounds a request that does a step of long work: more than
	// the server gives itself.
	slowTimeout = 90 * time.Second
	// idleTimeout bounds how long a stream may send nothing.
	idleTimeout = time.Minute
)

var errIdle = fmt.Errorf("the server sent nothing for %s", idleTimeout)

// slow is the client with time for a step of long work.
func (c *client) slow() *client {
	patient := *c.http
	patient.Timeout = slowTimeout
	return &client{c.base, c.token, &patient}
}

// stream asks for a document of any length and gives it to fn as it comes. It
// ends when nothing came for idleTimeout. length is -1 where it is not known.
func (c *client) stream(ctx context.Context, path string, query url.Values, media string, fn func(header http.Header, length int64, body io.Reader) error) error {
	return c.exchange(ctx, path, query, upload{}, media, fn)
}

// upload is a document that is sent; none if its media type is empty.
type upload struct {
	media string
	data  []byte
}

// exchange is stream, with a document that is sent.
func (c *client) exchange(ctx context.Context, path string, query url.Values, send upload, media string, fn func(header http.Header, length int64, body io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	method := http.MethodGet
	if send.media != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+"/admin/v1"+path, bytes.NewReader(send.data))
	if err != nil {
		return errors.New("the request cannot be made: check --admin")
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if send.media != "" {
		r.Header.Set("Content-Type", send.media)
	}
	endless := *c.http
	endless.Timeout = 0
	idle := time.AfterFunc(idleTimeout, func() { cancel(errIdle) })
	defer idle.Stop()
	reply, err := endless.Do(r)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer reply.Body.Close()
	if got, _, _ := mime.ParseMediaType(reply.Header.Get("Content-Type")); reply.StatusCode != http.StatusOK || got != media {
		data, err := io.ReadAll(io.LimitReader(reply.Body, maxRefusal))
		if err != nil {
			return c.unreachable(ctx, err)
		}
		if reply.StatusCode == http.StatusUnprocessableEntity && got == "application/json" {
			return unprocessable(data)
		}
		if err := c.refusal(reply, data); err != nil {
			return err
		}
		return fmt.Errorf("%s answers not as an admin API: check --admin", c.base)
	}
	return fn(reply.Header, reply.ContentLength, &watched{reply.Body, idle, func() error { return context.Cause(ctx) }})
}

// unprocessable is a JSON document that says why what was sent cannot be used.
type unprocessable []byte

func (unprocessable) Error() string { return "what was sent cannot be used" }

// maxRefusal bounds a problem document, in bytes.
const maxRefusal = 1 << 20

// watched puts off the end of a stream with every piece that comes.
type watched struct {
	io.Reader
	idle  *time.Timer
	ended func() error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.idle.Reset(idleTimeout)
	}
	if err != nil && errors.Is(w.ended(), errIdle) {
		err = errIdle
	}
	return n, err
}
