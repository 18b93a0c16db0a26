//go:build unix

package kratos_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/postgres"
)

// TestEightAtOnceOnPostgreSQL: SQLite lets one writer in at a time and so hides
// what happens between prepare, Kratos's insert and commit of people who come
// together. On PostgreSQL nobody waits: eight people at once, one of them from
// two browsers, for the first time and then again; then four people, each from
// two browsers, whose prepares begin in the same moment. Each has one account,
// whole on both sides, with the records that say so.
func TestEightAtOnceOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	withEachStore(t, func(t *testing.T, c kratostest.JithookConfig) {
		database := server.Database(t)
		door := openDoor(t)
		c.HookURL = door.url
		w := newWorldOn(t, c, kratostest.Config{DSN: database})
		door.leadTo(t, w.j.ListenURL)
		w.j.Start(t)
		w.atOnce("a", 8, 1)
		door.shut(4 * 2) // nobody knows them yet, so each begins with prepare
		w.atOnce("b", 4, 4)
		const people = 8 + 4
		// Kratos's own tables say that it is PostgreSQL indeed.
		if got := server.Query(t, database, "select count(*) from identities"); got != strconv.Itoa(people) {
			t.Errorf("Kratos has %s identities of %d people", got, people)
		}
		var page admin.Identities
		w.j.Admin(t, "/admin/v1/identities?page_size=500", &page)
		if len(page.Identities) != people {
			t.Errorf("jithook has %d identities of %d people", len(page.Identities), people)
		}
		w.j.Stop(t)
		if out := w.j.Run(t, "store", "verify"); !strings.Contains(out, " 0 findings mended, 0 left") {
			t.Errorf("store verify: %s", out)
		}
	})
}

// door stands between Kratos and jithook. When shut, it lets no call through until
// all that are expected are there.
type door struct {
	url    string
	inside atomic.Pointer[httputil.ReverseProxy]
	closed atomic.Pointer[rendezvous]
}

type rendezvous struct {
	missing atomic.Int64
	open    chan struct{}
}

func openDoor(t *testing.T) *door {
	d := &door{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if all := d.closed.Load(); all != nil {
			if all.missing.Add(-1) == 0 {
				close(all.open)
			}
			select {
			case <-all.open:
			case <-r.Context().Done(): // Kratos lost patience
				return
			}
		}
		d.inside.Load().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *door) leadTo(t *testing.T, base string) {
	t.Helper()
	to, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	d.inside.Store(httputil.NewSingleHostReverseProxy(to))
}

func (d *door) shut(expected int64) {
	all := &rendezvous{open: make(chan struct{})}
	all.missing.Store(expected)
	d.closed.Store(all)
}

// atOnce signs new people in at the same time, and then again. The first ones
// come from two browsers: one of the two may end at Kratos's page for linking,
// or at a message, when the other was faster.
func (w world) atOnce(name string, people, twice int) {
	w.t.Helper()
	browsers := map[string]int{}
	for n := range people {
		subject := fmt.Sprintf("at-once-%s-%d", name, n)
		w.person(subject)
		browsers[subject] = 1
		if n < twice {
			browsers[subject] = 2
		}
	}
	made := map[string]admin.Identity{}
	for subject, results := range w.together(browsers) {
		made[subject] = w.wantWhole(subject)
		if w.signedIn(subject, made[subject], results) == 0 {
			w.t.Errorf("%s did not get in: %s", subject, ends(results))
		}
	}
	for subject, results := range w.together(browsers) {
		us := w.wantWhole(subject)
		if w.signedIn(subject, made[subject], results) != len(results) {
			w.t.Errorf("%s did not get in again: %s", subject, ends(results))
		}
		if before := made[subject]; us.ID != before.ID || us.Revision != before.Revision {
			w.t.Errorf("%s again: now %s at revision %d, was %s at %d", subject, us.ID, us.Revision, before.ID, before.Revision)
		}
		w.wantRecords(subject, us.ID, browsers[subject])
	}
}

// together signs everybody in at the same time, with that many browsers or apps,
// and returns how each ended.
func (w world) together(browsers map[string]int) map[string][]kratostest.Result {
	w.t.Helper()
	results := map[string][]kratostest.Result{}
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for subject, n := range browsers {
		// The browsers of one person go the same way, side by side.
		way := len(results)
		s := kratostest.SignIn{Start: allStarts[way%len(allStarts)], Kind: allKinds[way%len(allKinds)], Provider: "acme", Subject: subject}
		ends := make([]kratostest.Result, n)
		results[subject] = ends
		for i := range ends {
			wg.Go(func() {
				<-begin
				var err error
				if ends[i], err = kratostest.NewBrowser().Try(w.t.Context(), w.k, s); err != nil {
					w.t.Errorf("%s: %v", subject, err)
				}
			})
		}
	}
	close(begin)
	wg.Wait()
	return results
}

// signedIn returns how many of the sign-ins reached a session, each of which must
// be the account's.
func (w world) signedIn(subject string, us admin.Identity, results []kratostest.Result) int {
	w.t.Helper()
	n := 0
	for _, r := range results {
		if r.Session == nil {
			continue
		}
		n++
		if got, want := r.Session.Identity.ID, us.ExternalIDs["kratos"]; got != want {
			w.t.Errorf("%s is in as %s, the account is %s", subject, got, want)
		}
	}
	return n
}

// ends says how sign-ins ended, for people.
func ends(results []kratostest.Result) string {
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "%q %+v %s; ", r.Outcome, r.Messages, r.Error)
	}
	return b.String()
}

// wantRecords checks the records of somebody who signed in with so many browsers
// at once for the first time, and then again: one for each sign-in, one of them
// the creation, which Kratos acknowledged once.
func (w world) wantRecords(subject, id string, browsers int) {
	w.t.Helper()
	// The most of each. A browser beside the first came before Kratos had the
	// account, or was overtaken on its way, or came before Kratos acknowledged
	// it, or later.
	others := browsers - 1
	allowed := map[string]int{
		"prepare created": 1, "login unchanged": browsers + others,
		"prepare unchanged": others, "prepare denied": others, "login activated": others,
	}
	var records []identity.Record
	// Those of unchanged logins are written within a second.
	for until := time.Now().Add(10 * time.Second); len(records) < 2*browsers && time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		var page admin.Decisions
		w.j.Admin(w.t, "/admin/v1/decisions?"+url.Values{"issuer": {w.op.Issuer}, "subject": {subject}}.Encode(), &page)
		records = page.Decisions
	}
	if len(records) != 2*browsers {
		w.t.Errorf("%s: %d records of %d sign-ins", subject, len(records), 2*browsers)
	}
	acknowledged := 0
	for _, r := range records {
		kind := fmt.Sprintf("%s %s", r.Hook, r.Decision)
		allowed[kind]--
		if allowed[kind] < 0 || r.IdentityID != id || r.Decision == identity.Denied && r.Reasons[0].Code != identity.CodeLinkStale {
			w.t.Errorf("%s: %s of %s because of %v", subject, kind, r.IdentityID, r.Reasons)
		}
		if !r.CommittedAt.IsZero() || r.Decision == identity.Activated {
			acknowledged++
		}
	}
	if acknowledged != 1 || allowed["prepare created"] != 0 {
		w.t.Errorf("%s: created %d times, acknowledged %d times", subject, 1-allowed["prepare created"], acknowledged)
	}
}
