package scim_test

// Who is refused a new account since another has the userName is told which
// situation that is, and each way out that is named is one.

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/test/scim/scimtest"
)

// TestReturnsAfterDeletion: at a target that only deactivates, somebody deleted
// leaves an account. Whoever comes with the same userName does not get it silently.
func TestReturnsAfterDeletion(t *testing.T) {
	const nextID = "0192f0a0-0000-7000-8000-000000000002"
	for name, c := range map[string]struct {
		mend  func(*scimtest.Target, scimtest.Doc)
		users int
	}{
		"deleted there": {func(s *scimtest.Target, d scimtest.Doc) { s.Drop("Users", d["id"].(string)) }, 1},
		"renamed there": {func(s *scimtest.Target, d scimtest.Doc) { replace(s, d, "userName", "ann.before@acme.example") }, 2},
		"handed over":   {func(s *scimtest.Target, d scimtest.Doc) { replace(s, d, "externalId", nextID) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			x := connector(t, s.URL, func(o *scim.Options) { o.Groups = scim.GroupsNone })
			before := ann(nil)
			must(t, deliver(t, x, &before))
			before.State = identity.StateDeleted
			must(t, deliver(t, x, &before))
			left := one(t, s)

			next := ann(func(i *identity.Identity) { i.ID = nextID })
			err := deliver(t, x, &next)
			wantReason(t, err, "closed account", "delete or rename", "externalId", "outbound retry")
			if diff := cmp.Diff(left, one(t, s)); diff != "" {
				t.Errorf("the account of before (-before +after):\n%s", diff)
			}
			if has, _ := next.Resource(hr); has.ID != "" {
				t.Error("it is noted as the new identity's")
			}

			c.mend(s, left)
			must(t, deliver(t, x, &next))
			ours := s.All("Users", "externalId", nextID)
			if len(ours) != 1 || ours[0]["active"] != true || ours[0]["userName"] != "ann@acme.example" || len(s.All("Users", "", "")) != c.users {
				t.Errorf("afterwards the target has %v", s.All("Users", "", ""))
			}
		})
	}
}

// replace is what the target's people do.
func replace(s *scimtest.Target, d scimtest.Doc, attribute, value string) {
	s.Drop("Users", d["id"].(string))
	d[attribute] = value
	s.Put("Users", d)
}

func wantReason(t *testing.T, err error, parts ...string) {
	t.Helper()
	if !isRejected(err) {
		t.Fatalf("not given up: %v", err)
	}
	quiet(t, "reason", err)
	if len(err.Error()) > 200 {
		t.Errorf("%d bytes are cut: %v", len(err.Error()), err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("it does not say %q: %v", part, err)
		}
	}
}

func TestTaken(t *testing.T) {
	busy := func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.RawQuery, "userName") {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "SECRET")
			return true
		}
		return false
	}
	for name, c := range map[string]struct {
		edit   func(scimtest.Doc)
		before func(http.ResponseWriter, *http.Request) bool
		adopt  bool
		want   string
	}{
		"in use":                {nil, nil, false, "in use"},
		"in use, to be adopted": {nil, nil, true, "in use"},
		"closed, to be adopted": {func(d scimtest.Doc) { d["active"] = "False" }, nil, true, "closed account"},
		"nobody's":              {without("externalId"), nil, false, "adopt"},
		"nobody's and closed":   {func(d scimtest.Doc) { delete(d, "externalId"); d["active"] = false }, nil, false, "adopt"},
		"nobody can tell":       {nil, busy, false, "409 (uniqueness)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Before = c.before
			s.Put("Users", stranger(c.edit))
			stands := s.All("Users", "", "")
			i := ann(nil)
			wantReason(t, deliver(t, connector(t, s.URL, func(o *scim.Options) { o.Adopt = c.adopt }), &i), c.want)
			if diff := cmp.Diff(stands, s.All("Users", "", "")); diff != "" {
				t.Errorf("the account (-before +after):\n%s", diff)
			}
		})
	}
}

// TestTakenByOurs: an account that a lost reply left behind, and that the target does
// not find by its externalId yet, is nobody else's.
func TestTakenByOurs(t *testing.T) {
	for name, adopt := range map[string]bool{"as it is": false, "with adopt": true} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Losing = 1
			var behind atomic.Bool
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				lags := behind.Load() && strings.Contains(r.URL.RawQuery, "externalId")
				if lags {
					_, _ = io.WriteString(w, `{"Resources": []}`)
				}
				return lags
			}
			var log bytes.Buffer
			x := connector(t, s.URL, func(o *scim.Options) {
				o.Adopt, o.Groups, o.Log = adopt, scim.GroupsNone, slog.New(slog.NewTextHandler(&log, nil))
			})
			i := ann(nil)
			if err := deliver(t, x, &i); err == nil || isRejected(err) {
				t.Fatalf("the lost reply: %v", err)
			}
			behind.Store(true)
			i.Traits["title"] = "Fellow"
			must(t, deliver(t, x, &i))
			account := one(t, s)
			if has, _ := i.Resource(hr); has.ID != account["id"] || account["title"] != "Fellow" || strings.Contains(log.String(), "adopted") {
				t.Errorf("noted %+v of %v; the log:\n%s", has, account, &log)
			}
		})
	}
}

// TestTakenAndBusy: a target that asks for time, when it is asked whose the name
// is, gets it.
func TestTakenAndBusy(t *testing.T) {
	s := scimtest.New(t)
	s.Put("Users", stranger(nil))
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.RawQuery, "userName") {
			return false
		}
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	i := ann(nil)
	err := deliver(t, connector(t, s.URL, nil), &i)
	if later, ok := errors.AsType[*outbound.LaterError](err); !ok || later.After != time.Minute {
		t.Errorf("got %v", err)
	}
}
