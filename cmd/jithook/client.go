package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/store/bolt"
)

const (
	// defaultAdmin is where a server with the default configuration listens.
	defaultAdmin = "http://" + defaultAdminListen
	// adminTokenEnv names the variable that holds the admin token.
	adminTokenEnv = "JITHOOK_ADMIN_TOKEN"
	// clientTimeout bounds one request of a command.
	clientTimeout = 15 * time.Second
	// maxReply bounds a reply, in bytes: a full page of very large identities.
	maxReply = 64 << 20
)

// access is how a command reaches the admin API: over the network, or by
// opening the store itself.
type access struct {
	admin, config string
	rules         bool // the command needs the providers' rules, and not only the store
	create        bool // with a config, make the store if there is none
}

func (a *access) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.admin, "admin", defaultAdmin, "the `URL` of a running server's admin API; its token is read from "+adminTokenEnv)
	cmd.Flags().StringVarP(&a.config, "config", "c", "", "the server's configuration `FILE`: open the store itself, while no server is running")
	cmd.MarkFlagsMutuallyExclusive("admin", "config")
}

// with calls fn with a client of the admin API.
func (a *access) with(fn func(*client) error) error {
	if a.config != "" {
		return a.withLocal(fn)
	}
	base, err := adminURL(a.admin)
	if err != nil {
		return err
	}
	token := os.Getenv(adminTokenEnv)
	if token == "" {
		return fmt.Errorf("%s is not set: it holds the token that admin.token of the server's configuration names (or use -c FILE while no server is running)", adminTokenEnv)
	}
	return fn(newClient(base, token))
}

func adminURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("--admin is the address of the admin API, such as %s", defaultAdmin)
	}
	return strings.TrimRight(text, "/"), nil
}

// withLocal opens the store and serves the admin API to this process alone: on
// a loopback port of its own, behind a token that nobody else has. So there is
// one way in which commands ask.
func (a *access) withLocal(fn func(*client) error) (err error) {
	api, closeStore, err := openLocal(a.config, a.rules, a.create, os.Stderr)
	if errors.Is(err, bolt.ErrLocked) {
		return fmt.Errorf("%w; leave out -c to ask a running jithook through its admin API", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	api.Token = rand.Text()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: api.Handler(), ReadHeaderTimeout: clientTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		server.Close()
		<-served
	}()
	return fn(newClient("http://"+l.Addr().String(), api.Token))
}

// client asks one admin API.
type client struct {
	base, token string
	http        *http.Client
}

func newClient(base, token string) *client {
	return &client{base, token, &http.Client{
		Timeout: clientTimeout,
		// The admin API never redirects. Whoever does is something else, and
		// must not choose where the token goes.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// get returns the document at path below /admin/v1. A refusal of the API is a
// *problem.Problem.
func (c *client) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.do(ctx, http.MethodGet, path, nil)
}

func (c *client) post(ctx context.Context, path string, query url.Values, body []byte) ([]byte, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.do(ctx, http.MethodPost, path, body)
}

func (c *client) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	return c.send(ctx, method, path, "application/json", body)
}

// edit changes an identity. A revision that is not 0 is what it must be at. An
// edit that was refused is a reply too.
func (c *client) edit(ctx context.Context, method, path string, revision int64, body []byte) ([]byte, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	if revision != 0 {
		header.Set("If-Match", strconv.Quote(strconv.FormatInt(revision, 10)))
	}
	return c.ask(ctx, method, path, header, body)
}

func (c *client) send(ctx context.Context, method, path, media string, body []byte) ([]byte, error) {
	return c.ask(ctx, method, path, http.Header{"Content-Type": {media}}, body)
}

func (c *client) ask(ctx context.Context, method, path string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+"/admin/v1"+path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made: check --admin")
	}
	r.Header = header
	r.Header.Set("Authorization", "Bearer "+c.token)
	reply, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(io.LimitReader(reply.Body, maxReply+1))
	switch {
	case err != nil:
		return nil, c.unreachable(ctx, err)
	case len(data) > maxReply:
		return nil, fmt.Errorf("the reply of %s is longer than %d bytes: ask for fewer with --page-size", c.base, maxReply)
	}
	return data, c.refusal(reply, data)
}

// unreachable says what to look at. The text of a *url.Error would repeat the
// whole address, and with it a subject that was asked for.
func (c *client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &noAnswer{c.base, shown(err.Error())}
}

// noAnswer says that nobody answered, or not to the end.
type noAnswer struct{ base, why string }

func (e *noAnswer) Error() string {
	return fmt.Sprintf("no answer from %s (%s): is jithook running, and is that its admin.listen? --admin URL asks another address, -c FILE opens the store without a server", e.base, e.why)
}

// refusal returns why a reply is none that was hoped for, or nil.
func (c *client) refusal(reply *http.Response, data []byte) error {
	media, _, _ := mime.ParseMediaType(reply.Header.Get("Content-Type"))
	switch {
	case (reply.StatusCode == http.StatusOK || reply.StatusCode == http.StatusConflict) && media == "application/json" && json.Valid(data):
		return nil
	case media != problem.ContentType:
		return fmt.Errorf("%s answers %d, and not as an admin API: check --admin", c.base, reply.StatusCode)
	}
	p := &problem.Problem{}
	if err := json.Unmarshal(data, p); err != nil {
		return fmt.Errorf("%s answers %d, and not as an admin API: check --admin", c.base, reply.StatusCode)
	}
	p.Status = reply.StatusCode
	return p
}

// explained turns a refusal into a sentence for the person at the terminal.
func explained(err error) error {
	var p *problem.Problem
	if !errors.As(err, &p) {
		return err
	}
	text := shown(cmp.Or(p.Detail, p.Title, http.StatusText(p.Status)))
	if p.Place != "" {
		text = shown(p.Place) + ": " + text
	}
	switch {
	case p.Status == http.StatusNotFound && p.Detail == "":
		text = "there is no admin API at this address: check --admin"
	case p.Status == http.StatusUnauthorized:
		text += fmt.Sprintf("; the one in %s is not the server's", adminTokenEnv)
	case p.Status == http.StatusInternalServerError:
		text += "; request id " + shown(p.RequestID)
	}
	return errors.New(text)
}

// missing reports whether err says that there is none with the id.
func missing(err error) bool {
	var p *problem.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound && p.Detail != ""
}
