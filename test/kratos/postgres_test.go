//go:build unix

package kratos_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
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
// two browsers, for the first time and then again. Each has one account, whole
// on both sides, with the records that say so.
func TestEightAtOnceOnPostgreSQL(t *testing.T) {
	server := postgres.Start(t)
	withEachStore(t, func(t *testing.T, c kratostest.JithookConfig) {
		database := server.Database(t)
		w := newWorldOn(t, c, kratostest.Config{DSN: database})
		w.j.Start(t)
		total := 0
		for round := range 2 {
			total += w.eightAtOnce(round)
		}
		// Kratos's own tables say that it is PostgreSQL indeed.
		if got := server.Query(t, database, "select count(*) from identities"); got != strconv.Itoa(total) {
			t.Errorf("Kratos has %s identities of %d people", got, total)
		}
		var page admin.Identities
		w.j.Admin(t, "/admin/v1/identities?page_size=500", &page)
		if len(page.Identities) != total {
			t.Errorf("jithook has %d identities of %d people", len(page.Identities), total)
		}
		w.j.Stop(t)
		if out := w.j.Run(t, "store", "verify"); !strings.Contains(out, " 0 findings mended, 0 left") {
			t.Errorf("store verify: %s", out)
		}
	})
}

// eightAtOnce signs eight new people in, twice, and returns how many they are.
func (w world) eightAtOnce(round int) int {
	w.t.Helper()
	const people = 8
	var subjects []string
	for n := range people {
		subjects = append(subjects, fmt.Sprintf("at-once-%d-%d", round, n))
		w.person(subjects[n])
	}
	// The first one's other browser. One of the two may end at Kratos's page for
	// linking, or at a message: whoever is in is in as the same person.
	subjects = append(subjects, subjects[0])
	first := w.together(subjects)
	if first[0].Session == nil && first[people].Session == nil {
		w.t.Errorf("%s, from two browsers, got in with neither: %q %+v, %q %+v",
			subjects[0], first[0].Outcome, first[0].Messages, first[people].Outcome, first[people].Messages)
	}
	made := map[string]admin.Identity{}
	for n, subject := range subjects[:people] {
		if n > 0 && first[n].Session == nil {
			w.t.Errorf("%s: %q %+v %s", subject, first[n].Outcome, first[n].Messages, first[n].Error)
		}
		made[subject] = w.wantWhole(subject)
	}
	again := w.together(subjects)
	for n, subject := range subjects {
		us, r := made[subject], again[n]
		if r.Session == nil {
			w.t.Errorf("%s again: %q %+v %s", subject, r.Outcome, r.Messages, r.Error)
		}
		for _, s := range []*kratostest.Session{first[n].Session, r.Session} {
			if s != nil && s.Identity.ID != us.ExternalIDs["kratos"] {
				w.t.Errorf("%s is in as %s, the account is %s", subject, s.Identity.ID, us.ExternalIDs["kratos"])
			}
		}
	}
	for n, subject := range subjects[:people] {
		if now := w.wantWhole(subject); now.ID != made[subject].ID || now.Revision != made[subject].Revision {
			w.t.Errorf("%s again: now %s at revision %d, was %s at %d", subject, now.ID, now.Revision, made[subject].ID, made[subject].Revision)
		}
		w.wantRecords(subject, made[subject].ID, n == 0)
	}
	return people
}

// wantRecords checks the records of somebody who signed in for the first time and
// again, or did so from two browsers: one for each sign-in, one of them the
// creation, which Kratos acknowledged.
func (w world) wantRecords(subject, id string, twice bool) {
	w.t.Helper()
	allowed := map[string]int{"prepare created": 1, "login unchanged": 1} // the most of each
	signIns := 2
	if twice {
		// The other browser was there before the first one's account, or after it.
		signIns, allowed["login unchanged"], allowed["prepare unchanged"], allowed["prepare denied"] = 4, 3, 1, 1
	}
	var records []identity.Record
	// Those of unchanged logins are written within a second.
	for until := time.Now().Add(10 * time.Second); len(records) < signIns && time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		var page admin.Decisions
		w.j.Admin(w.t, "/admin/v1/decisions?"+url.Values{"issuer": {w.op.Issuer}, "subject": {subject}}.Encode(), &page)
		records = page.Decisions
	}
	if len(records) != signIns {
		w.t.Errorf("%s: %d records of %d sign-ins", subject, len(records), signIns)
	}
	created := 0
	for _, r := range records {
		kind := fmt.Sprintf("%s %s", r.Hook, r.Decision)
		allowed[kind]--
		if allowed[kind] < 0 || r.IdentityID != id || r.Decision == identity.Denied && r.Reasons[0].Code != identity.CodeLinkStale {
			w.t.Errorf("%s: %s of %s because of %v", subject, kind, r.IdentityID, r.Reasons)
		}
		if r.Decision == identity.Created && !r.CommittedAt.IsZero() {
			created++
		}
	}
	if created != 1 {
		w.t.Errorf("%s: created %d times", subject, created)
	}
}

// together signs all of them in at the same time, each with a browser or app of
// its own; who stands there twice comes twice.
func (w world) together(subjects []string) []kratostest.Result {
	w.t.Helper()
	results := make([]kratostest.Result, len(subjects))
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for n, subject := range subjects {
		s := kratostest.SignIn{Start: allStarts[n%len(allStarts)], Kind: allKinds[n%len(allKinds)], Provider: "acme", Subject: subject}
		wg.Go(func() {
			<-begin
			var err error
			if results[n], err = kratostest.NewBrowser().Try(w.t.Context(), w.k, s); err != nil {
				w.t.Errorf("%s: %v", subject, err)
			}
		})
	}
	close(begin)
	wg.Wait()
	return results
}
