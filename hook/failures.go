package hook

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/jithook/jithook/internal/problem"
)

// Reason says why a request was not authenticated: a closed list, for logs and
// metrics.
type Reason string

// The closed list of reasons.
const (
	RefusedNone      Reason = "no_credential"
	RefusedUnknown   Reason = "unknown_credential"
	RefusedSeveral   Reason = "several_credentials"
	RefusedMalformed Reason = "malformed_signature"
	RefusedTimestamp Reason = "timestamp"
	RefusedSignature Reason = "wrong_signature"
)

// Reasons returns the closed list of reasons.
func Reasons() []Reason {
	return []Reason{RefusedNone, RefusedUnknown, RefusedSeveral, RefusedMalformed, RefusedTimestamp, RefusedSignature}
}

// Refusal is a request that was not authenticated.
type Refusal struct {
	Reason Reason
	// Detail is for whoever sent it, and holds nothing of what was sent.
	Detail string
}

func (r *Refusal) Error() string { return r.Detail }

func refuse(why Reason, detail string) error { return &Refusal{why, detail} }

// Limits of failures. They keep whoever guesses from flooding the log, and from
// costing more than an early answer. They never keep a valid credential out:
// that is looked at first, whatever the address has sent before.
const (
	failuresPerSecond = 1 // of one remote
	failuresBurst     = 10
	logsPerSecond     = 1 // of all remotes
	logsBurst         = 10
	// maxRemotes bounds each of the two halves of the table. Whoever was pushed
	// out begins anew: a burst of answers 401 more.
	maxRemotes = 4096
)

// failures counts the failed authentications of each remote. The table has two
// halves: when the younger is full, the older is forgotten.
type failures struct {
	mu           sync.Mutex
	young, older map[netip.Prefix]*rate.Limiter
	logs         *rate.Limiter
	unlogged     int
}

func newFailures() *failures {
	return &failures{young: map[netip.Prefix]*rate.Limiter{}, logs: rate.NewLimiter(logsPerSecond, logsBurst)}
}

// count notes a failure, and returns whether the remote has failed too often,
// and whether to log it, with how many were not logged before it.
func (f *failures) count(remote netip.Prefix, at time.Time) (limited, log bool, unlogged int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.young[remote]
	if l == nil {
		if len(f.young) >= maxRemotes {
			f.young, f.older = map[netip.Prefix]*rate.Limiter{}, f.young
		}
		if l = f.older[remote]; l == nil {
			l = rate.NewLimiter(failuresPerSecond, failuresBurst)
		}
		f.young[remote] = l
	}
	limited = !l.AllowN(at, 1)
	if !f.logs.AllowN(at, 1) {
		f.unlogged++
		return limited, false, 0
	}
	unlogged, f.unlogged = f.unlogged, 0
	return limited, true, unlogged
}

// remoteOf returns who failures are counted for: an IPv4 address, or the /64 of
// an IPv6 address, of which one host has all. It is that of the connection: what
// a header says about it, the client could have chosen.
func remoteOf(r *http.Request) netip.Prefix {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{} // such as a socket without addresses: one for all
	}
	addr := at.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // bits fit
	return prefix
}

// refused answers a request that was not authenticated.
func (o Options) refused(c echo.Context, why *Refusal) error {
	if o.Refused != nil {
		o.Refused(why.Reason)
	}
	remote := remoteOf(c.Request())
	limited, log, unlogged := o.Auth.failures.count(remote, o.Auth.now())
	if log {
		o.Log.WarnContext(c.Request().Context(), "caller refused", "reason", why.Reason, "remote", remote.String(),
			"path", c.Path(), "limited", limited, "not_logged_before", unlogged, "request_id", RequestID(c))
	}
	switch {
	case limited:
		c.Response().Header().Set(echo.HeaderRetryAfter, "1")
		return problem.New(http.StatusTooManyRequests, "too many requests from this address had no good credential; one that has is answered")
	case why.Reason == RefusedSeveral:
		return problem.New(http.StatusBadRequest, why.Detail)
	}
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="jithook", Basic realm="jithook"`)
	return problem.New(http.StatusUnauthorized, why.Detail)
}
