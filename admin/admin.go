// Package admin is the API of who runs jithook: what is in the userstore, what
// was decided and why, what would be decided, and an administrator's edits. Its
// documents are stable: the command line is one of its clients.
//
// It must not know how callers sign people in (package hook); it reads the
// store and asks package provision for plans and edits.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
)

// Store is what the API reads of a userstore.
type Store interface {
	Get(ctx context.Context, id string) (identity.Identity, error)
	List(ctx context.Context, q store.Query) (store.Page, error)
	Decision(ctx context.Context, id string) (identity.Record, error)
	Decisions(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error)
}

// API is the admin API.
type API struct {
	Store Store
	// Userstore is the whole of the same store, for the routes below /store.
	Userstore *directory.Directory
	Service   *provision.Service
	Providers func() *provider.Set
	// Targets are the systems that are told of identities, Comparers those that
	// this process can ask what they have.
	Targets   []string
	Comparers map[string]outbound.Comparer
	// Failing, if set, says what a target failed at last, and until when it is left
	// alone.
	Failing func(target string) (failure string, until time.Time)
	// Token admits; an empty one admits nobody.
	Token string
	// Host is the name in the listen address: the one host name, besides
	// localhost, that requests may be addressed to.
	Host    string
	Metrics http.Handler
	Log     *slog.Logger
	// LoadProviders compiles candidates for the providers' files; Replayers is how
	// many logins a replay decides at a time, 0 is one a processor.
	LoadProviders func(fs.FS) (*provider.Set, []provider.Problem)
	Replayers     int

	replaying sync.Mutex // one at a time: it takes what processors there are
}

const (
	maxBody = 1 << 20
	// timeout bounds a request: pages are short.
	timeout = 10 * time.Second
)

// Handler returns the API below /admin/v1 and /metrics.
func (a *API) Handler() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = problem.Handler(a.Log)
	e.Use(hook.WithRequestID, hook.Survive(a.Log, "panic in the admin API", broken), a.addressed, a.authenticate, bound)
	e.GET("/metrics", echo.WrapHandler(a.Metrics))
	v1 := e.Group("/admin/v1")
	v1.GET("/identities", a.identities)
	v1.GET("/identities/:id", a.identity)
	v1.GET(exportPath, a.export)
	a.mountEdits(v1)
	a.mountOutbound(v1)
	a.mountLinks(v1)
	a.mountHolds(v1)
	v1.GET("/decisions", a.decisions)
	v1.GET("/decisions/:id", a.decision)
	v1.GET("/providers", a.providers)
	v1.POST("/plan", a.plan)
	v1.POST(replayPath, a.replay)
	v1.GET("/openapi.json", openapi)
	v1.POST(sweepPath, a.sweep)
	v1.POST("/kratos/:instance"+adoptPath, a.adopt)
	a.mountStore(v1)
	return e
}

// broken is the answer to a panic.
func broken(echo.Context, identity.Code) error {
	return problem.New(http.StatusInternalServerError, "a fault in jithook; its log has more under the request id")
}

// addressed refuses requests to host names that are not ours. A page in an
// administrator's browser can point a name of its own at a loopback address
// (DNS rebinding); it cannot make the browser send an address or our name.
func (a *API) addressed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		host := c.Request().Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		if net.ParseIP(host) == nil && !strings.EqualFold(host, "localhost") && (a.Host == "" || !strings.EqualFold(host, a.Host)) {
			return problem.New(http.StatusMisdirectedRequest, "the Host header names neither an address, nor localhost, nor the name in admin.listen")
		}
		return next(c)
	}
}

func (a *API) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	want := sha256.Sum256([]byte(a.Token))
	return func(c echo.Context) error {
		token, ok := strings.CutPrefix(c.Request().Header.Get(echo.HeaderAuthorization), "Bearer ")
		got := sha256.Sum256([]byte(token))
		if !ok || a.Token == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="jithook admin"`)
			return problem.New(http.StatusUnauthorized, "the admin token is needed: Authorization: Bearer …")
		}
		return next(c)
	}
}

// bound limits every request but those that limit themselves: below /store,
// exports, replays, sweeps, and steps that ask another system.
func bound(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.HasPrefix(c.Path(), storePath) || strings.HasSuffix(c.Path(), exportPath) || strings.HasSuffix(c.Path(), sweepPath) || strings.HasSuffix(c.Path(), reconcilePath) ||
			strings.HasSuffix(c.Path(), adoptPath) || strings.HasSuffix(c.Path(), replayPath) {
			return next(c)
		}
		ctx, cancel := context.WithTimeout(c.Request().Context(), timeout)
		defer cancel()
		r := c.Request().WithContext(ctx)
		r.Body = http.MaxBytesReader(c.Response(), r.Body, maxBody)
		c.SetRequest(r)
		return next(c)
	}
}

// fault is what a store's error means to a client.
func fault(err error) error {
	var unread *claims.Fault
	switch {
	case errors.As(err, &unread):
		return problem.New(http.StatusServiceUnavailable, unread.Code.Text())
	case errors.Is(err, store.ErrNotFound):
		return problem.New(http.StatusNotFound, "there is none with this id")
	case errors.Is(err, store.ErrPageToken):
		return problem.New(http.StatusBadRequest, store.ErrPageToken.Error())
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		// In the words of package store, which show nobody: an operator has no other.
		return problem.New(http.StatusServiceUnavailable, "the userstore cannot be read right now: "+err.Error())
	}
	return err
}
