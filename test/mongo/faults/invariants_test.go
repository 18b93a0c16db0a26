//go:build unix

package faults_test

// What holds in the database after every fault: the invariants I1 to I8 of the
// store's contract, each by a function of its name.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/store/verify"
)

// people returns every identity in the database.
func people(t testing.TB, s *mongo.Store) []identity.Identity {
	t.Helper()
	var all []identity.Identity
	for q := (store.Query{PageSize: store.MaxPageSize}); ; {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Identities...)
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return all
		}
	}
}

// whose returns the identities of the person.
func whose(all []identity.Identity, p *person) []identity.Identity {
	var own []identity.Identity
	for _, i := range all {
		if i.Link(issuer, p.subject) >= 0 {
			own = append(own, i)
		}
	}
	return own
}

// i1OnePerSubject: at most one identity per (issuer, subject).
func i1OnePerSubject(t testing.TB, all []identity.Identity) {
	t.Helper()
	seen := map[identity.Key]string{}
	for _, i := range all {
		for _, l := range i.Links {
			k := identity.FedKey(l.Issuer, l.Subject)
			if other, twice := seen[k]; twice {
				t.Errorf("I1: one subject has the identities %s and %s", other, i.ID)
			}
			seen[k] = i.ID
		}
	}
}

// i2SuccessIsDurable: who was told to go on has an identity with a link, as the
// answer says; what the answer decided has its record; and what the target has
// not been told of it yet waits in the outbox.
func i2SuccessIsDurable(t testing.TB, l lane, r result, p *person) {
	t.Helper()
	if !r.passed() || r.path == commit.path { // commit passes whatever happened
		return
	}
	own := whose(people(t, l.direct), p)
	if len(own) != 1 || p.id != "" && own[0].ID != p.id {
		t.Errorf("I2: %v, and the database has %d identities of theirs", r, len(own))
		return
	}
	i := own[0]
	if !slices.Contains(i.Keys, p.fedKey()) {
		t.Error("I2: the link has no key")
	}
	for name, v := range r.reply.Identity.Traits {
		if r.path == login.path && i.Traits[name] != v {
			t.Errorf("I2: the answer's trait %s is not the database's", name)
		}
	}
	if r.path != prepare.path && i.State != identity.StateActive {
		t.Errorf("I2: passed, and the identity is %s", i.State)
	}
	// Who is told is settled afterwards, so that one of the two always holds.
	waits := slices.ContainsFunc(i.Outbox, func(d identity.Delivery) bool { return d.Target == events && d.Revision == i.Revision })
	if told, _ := l.told.of(i.ID); !waits && told.Revision < i.Revision {
		t.Errorf("I2: %v, and revision %d waits for nobody; the target was told of %d", r, i.Revision, told.Revision)
	}
	found, err := l.direct.Decisions(t.Context(), store.DecisionQuery{FlowID: r.flow})
	if err != nil {
		t.Fatal(err)
	}
	if changed := r.reply.Decision != identity.Unchanged; r.path == login.path && changed && len(found.Records) == 0 {
		t.Errorf("I2: %s without a record", r.reply.Decision)
	}
}

// i3NothingIsLeft: `store verify` finds nothing, and mends nothing.
func i3NothingIsLeft(t testing.TB, s *mongo.Store) {
	t.Helper()
	c := verify.Checker{Store: s, Now: time.Now}
	for token := ""; ; {
		found, err := c.Page(t.Context(), token, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found.Findings {
			t.Errorf("I3: %s %s: %s", f.Code, f.IdentityID, f.Text)
		}
		if token = found.NextPageToken; token == "" {
			return
		}
	}
}

// i4Told: by then the target knows these people as the store does, and it was
// never told of somebody as they were before.
func i4Told(t testing.TB, l lane, until time.Time, all ...*person) {
	t.Helper()
	for _, p := range all {
		found, err := l.direct.Find(t.Context(), p.fedKey())
		if err != nil || len(found) != 1 {
			t.Fatalf("I4: %d identities of one subject: %v", len(found), err)
		}
		i := found[0]
		knows, back := l.told.of(i.ID)
		for ; knows.Revision != i.Revision && time.Now().Before(until); knows, back = l.told.of(i.ID) {
			time.Sleep(20 * time.Millisecond)
		}
		if knows.Revision != i.Revision || knows.State != i.State || knows.Traits["name"] != i.Traits["name"] {
			t.Errorf("I4: the store has %s in revision %d, the target was last told of %d", i.ID, i.Revision, knows.Revision)
		}
		if back {
			t.Errorf("I4: the target was told of %s as it was before", i.ID)
		}
	}
}

// i5NeverOpen: whom policy denies is let in by no fault, nor made.
func i5NeverOpen(t testing.TB, all []identity.Identity, r result, p *person) {
	t.Helper()
	if p.guest && (r.passed() || len(whose(all, p)) > 0) {
		t.Errorf("I5: %v, %d identities of somebody denied", r, len(whose(all, p)))
	}
}

// i6Healed: the person has one live identity, which says what the provider says.
func i6Healed(t testing.TB, all []identity.Identity, p *person) {
	t.Helper()
	own := whose(all, p)
	switch {
	case len(own) != 1:
		t.Errorf("I6: %d identities after the next login", len(own))
	case own[0].State != identity.StateActive || own[0].Traits["name"] != p.name:
		t.Errorf("I6: after the next login it is %s, its name as claimed: %v", own[0].State, own[0].Traits["name"] == p.name)
	}
}

// i7OlderClaimsLose: an older login that arrives late changes nothing; it counts
// as a login.
func i7OlderClaimsLose(t testing.TB, r result, before, after []identity.Identity, p *person) {
	t.Helper()
	b, a := whose(before, p), whose(after, p)
	if len(b) != 1 || len(a) != 1 || a[0].Traits["name"] != b[0].Traits["name"] || a[0].Revision != b[0].Revision {
		t.Errorf("I7: an older login changed the identity: %v", r)
	}
	if stale := func(why identity.Reason) bool { return why.Code == identity.CodeClaimsStale }; !slices.ContainsFunc(r.reply.Reasons, stale) {
		t.Errorf("I7: an older login is no login with stale claims: %v", r)
	}
}

// i8NobodySharesAName: no two identities hold one key of a name or an e-mail.
func i8NobodySharesAName(t testing.TB, all []identity.Identity) {
	t.Helper()
	holder := map[identity.Key]string{}
	for _, i := range all {
		mails := 0
		for _, k := range i.Keys {
			if other, twice := holder[k]; twice {
				t.Errorf("I8: %s and %s hold one %s key", other, i.ID, k.Kind())
			}
			holder[k] = i.ID
			if k.Kind() == identity.KeyMail {
				mails++
			}
		}
		if mails != 1 {
			t.Errorf("I8: %s, with one verified e-mail, holds %d keys for it", i.ID, mails)
		}
	}
}

// driverWords are what no answer and no log may hold: the texts of the proxy in
// the server's place, of the server and of the driver.
var driverWords = []string{"not primary", "waiting for replication", "refused by the proxy", "E11000", "socket", "connection(", "mongodb://"}

// quiet: no text of the driver's or the server's, no secret, and nobody's data.
func quiet(t testing.TB, what, text string, secrets ...string) {
	t.Helper()
	for _, w := range append(driverWords, secrets...) {
		if strings.Contains(text, w) {
			t.Errorf("%s holds %q", what, w)
		}
	}
}
