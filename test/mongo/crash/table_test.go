//go:build unix

package crash_test

// Every operation with every command that it sends, and what is in the database
// after each: the steps at which a process is killed.

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	kratosapi "github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/service"
)

const issuer = "https://acme.example"

const acme = `
version: 1
provider: acme
issuer: ` + issuer + `
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true, allow: 'claims.hd == "acme.example"'}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  name: {value: claims.name}
`

// house is the real service on a store.
type house struct {
	*provision.Service
	store *mongo.Store
}

func newHouse(s *mongo.Store) (house, error) {
	over, err := service.Over(s, io.Discard, acme, globex)
	if err != nil {
		return house{}, err
	}
	admin, err := kratosapi.NewAdmin(kratosHas(), "")
	over.Kratos = map[string]*kratosapi.Admin{"main": admin}
	return house{over, s}, err
}

// operation is one operation on one subject.
type operation struct {
	given []act // what has happened before
	from  state // and what is there then
	run   act   // what is cut short
	steps []step
	// next is the login that comes afterwards: what it decides, by what the
	// operation left behind.
	next    act
	decides map[string]identity.Decision
	finally state // without its records
}

// step is a command that the operation sends, in its turn, and what stands in
// the database when the server has done it.
type step struct {
	command string // as faultproxy.Watch has it
	leaves  state
}

// act does something for a subject and returns what was decided.
type act func(ctx context.Context, h house, subject string) (identity.Decision, error)

// state is what is in the database about a subject.
type state struct {
	name      string
	state     identity.State // empty: there is no identity
	fullName  string
	kratos    bool // the Kratos id is recorded
	renewed   bool
	touched   bool
	armed     bool                // a target is to learn of it
	pinned    bool                // to another userstore
	other     string              // whose globex's subject is: "", pending or mine
	committed bool                // the first record is amended
	records   []identity.Decision // the oldest first
}

const (
	first = "Ann Example"
	other = "Ann Other"
)

var (
	nobody   = state{name: "nobody"}
	denied   = state{name: "denied", state: identity.StateActive, fullName: first, records: []identity.Decision{identity.Created, identity.Denied}}
	created  = state{name: "created", state: identity.StateActive, fullName: first, records: []identity.Decision{identity.Created}}
	updated  = state{name: "updated", state: identity.StateActive, fullName: other, records: []identity.Decision{identity.Created, identity.Updated}}
	pending  = state{name: "pending", state: identity.StatePending, fullName: first, records: []identity.Decision{identity.Created}}
	renewed  = state{name: "renewed", state: identity.StatePending, fullName: first, renewed: true, records: []identity.Decision{identity.Created, identity.Unchanged}}
	acked    = state{name: "acknowledged", state: identity.StateActive, fullName: first, kratos: true, committed: true, records: []identity.Decision{identity.Created}}
	noted    = state{name: "noted", state: identity.StateActive, fullName: first, records: []identity.Decision{identity.Created, identity.Unchanged}}
	touched  = state{name: "touched", state: identity.StateActive, fullName: first, touched: true, records: []identity.Decision{identity.Created, identity.Unchanged}}
	suspend  = state{name: "suspended", state: identity.StateSuspended, fullName: first, records: []identity.Decision{identity.Created, identity.Updated}}
	armed    = state{name: "armed", state: identity.StateActive, fullName: first, armed: true, records: []identity.Decision{identity.Created}}
	pinned   = state{name: "pinned", pinned: true}
	foretold = state{name: "foretold", state: identity.StateActive, fullName: first, records: []identity.Decision{identity.Created, identity.Deleted}}
	gone     = state{name: "gone", records: []identity.Decision{identity.Created, identity.Deleted}}
	rivals   = state{name: "rivals", state: identity.StateActive, fullName: first, kratos: true, committed: true, other: "pending", records: acked.records}
	yielded  = state{name: "yielded", state: identity.StateActive, fullName: first, kratos: true, committed: true, records: acked.records}
	linked   = state{name: "linked", state: identity.StateActive, fullName: first, kratos: true, committed: true, other: "mine", records: []identity.Decision{identity.Created, identity.Linked}}
)

// moving is what the mover does with the record of a write, in the background:
// it finds it, carries it over and removes it.
func moving(s state) []step {
	return []step{{"find identities", s}, {"update decisions", s}, {"update identities", s}}
}

var operations = map[string]operation{
	"first login": {
		from: nobody, run: login(first),
		steps: append([]step{{"find identities", nobody}, {"insert identities", created}}, moving(created)...),
		next:  login(first), decides: map[string]identity.Decision{"nobody": identity.Created, "created": identity.Unchanged},
		finally: created,
	},
	"login that updates": {
		given: []act{login(first)}, from: created, run: login(other),
		steps: append([]step{{"find identities", created}, {"update identities", updated}}, moving(updated)...),
		next:  login(other), decides: map[string]identity.Decision{"created": identity.Updated, "updated": identity.Unchanged},
		finally: updated,
	},
	"login that is denied": {
		given: []act{login(first)}, from: created, run: logsIn(stranger),
		steps: []step{{"find identities", created}, {"find identities", created}, {"insert decisions", denied}},
		next:  login(first), decides: map[string]identity.Decision{"created": identity.Unchanged, "denied": identity.Unchanged},
		finally: created,
	},
	"prepare": {
		from: nobody, run: logsIn(prepare),
		steps: append([]step{{"find identities", nobody}, {"insert identities", pending}}, moving(pending)...),
		next:  logsIn(kratosLogin), decides: map[string]identity.Decision{"nobody": identity.Created, "pending": identity.Activated},
		finally: acked,
	},
	"prepare once more": {
		given: []act{logsIn(prepare)}, from: pending, run: logsIn(prepare),
		steps: append([]step{{"find identities", pending}, {"update identities", renewed}}, moving(renewed)...),
		next:  logsIn(kratosLogin), decides: map[string]identity.Decision{"pending": identity.Activated, "renewed": identity.Activated},
		finally: acked,
	},
	"commit": {
		given: []act{logsIn(prepare)}, from: pending, run: commit,
		steps: append([]step{
			{"find identities", pending}, {"find identities", pending}, {"find decisions", pending}, // the person; the record of prepare
			{"update identities", acked},
		}, moving(acked)...),
		next: logsIn(kratosLogin), decides: map[string]identity.Decision{"pending": identity.Activated, "acknowledged": identity.Unchanged},
		finally: acked,
	},
	"sweep": {
		given: []act{login(first)}, from: created, run: sweep,
		steps: []step{
			{"find identities", created}, {"find identities", created}, // the sweep's look-up; the state to delete
			{"update decisions", foretold}, {"delete identities", gone},
		},
		next: login(first), decides: map[string]identity.Decision{"created": identity.Unchanged, "foretold": identity.Unchanged, "gone": identity.Created},
		finally: created,
	},
	"pending identity that yields": {
		given: []act{logsIn(prepare), commit, await, logsIn(prepareOther)}, from: rivals, run: logsIn(otherLogin),
		steps: append([]step{
			{"find identities", rivals},                              // both of them
			{"find identities", rivals}, {"find identities", rivals}, // which store has it; the state to delete
			{"update decisions", rivals}, {"delete identities", yielded},
			{"update identities", linked},
		}, moving(linked)...),
		next: logsIn(otherLogin), decides: map[string]identity.Decision{"rivals": identity.Linked, "yielded": identity.Linked, "linked": identity.Unchanged},
		finally: linked,
	},
	"signed first login": {
		from: nobody, run: deliver,
		steps: append([]step{
			{"insert receipts", nobody}, {"find identities", nobody},
			{"find identities", nobody}, {"find decisions", nobody}, // whether it was decided meanwhile
			{"insert identities", created},
		}, moving(created)...),
		next: deliverAgain, decides: map[string]identity.Decision{"nobody": identity.Created, "created": identity.Unchanged},
		finally: created,
	},
	"pin": {
		from: nobody, run: pin, steps: []step{{"insert identities", pinned}},
		next: pin, decides: map[string]identity.Decision{"nobody": identity.Unchanged, "pinned": identity.Unchanged},
		finally: pinned,
	},
	"suspension": {
		given: []act{login(first)}, from: created, run: edit(provision.Suspend()),
		steps: append([]step{{"find identities", created}, {"find identities", created}, {"update identities", suspend}}, moving(suspend)...),
		next:  login(first), decides: map[string]identity.Decision{"created": identity.Unchanged, "suspended": identity.Denied},
		finally: created,
	},
	"deletion by an administrator": {
		given: []act{login(first)}, from: created, run: edit(provision.Delete()),
		steps: []step{
			// the test's look-up, the edit's, the edit's for its record, the state to delete
			{"find identities", created}, {"find identities", created}, {"find identities", created}, {"find identities", created},
			{"update decisions", foretold}, {"delete identities", gone},
		},
		next: login(first), decides: map[string]identity.Decision{"created": identity.Unchanged, "foretold": identity.Unchanged, "gone": identity.Created},
		finally: created,
	},
	"lease of the outbox": {
		given: []act{login(first)}, from: created, run: lease,
		steps: []step{{"find identities", created}, {"update identities", armed}},
		next:  login(first), decides: map[string]identity.Decision{"created": identity.Unchanged, "armed": identity.Unchanged},
		finally: created,
	},
	"flush of unchanged logins": {
		given: []act{login(first)}, from: created, run: flush,
		steps: []step{{"find identities", created}, {"find identities", created}, {"insert decisions", noted}, {"update identities", touched}},
		next:  login(first), decides: map[string]identity.Decision{"created": identity.Unchanged, "noted": identity.Unchanged, "touched": identity.Unchanged},
		finally: created,
	},
}

// logsIn is the act of a login; a fault of our own is an error.
func logsIn(login func(subject string) identity.Login) act {
	return func(ctx context.Context, h house, subject string) (identity.Decision, error) {
		return decided(h.Provision(ctx, login(subject)))
	}
}

func decided(out provision.Outcome) (identity.Decision, error) {
	if out.Record.Decision == identity.Error {
		return identity.Error, fmt.Errorf("a fault of jithook: %v", out.Record.Reasons)
	}
	return out.Record.Decision, nil
}

func claims(subject, fullName, domain string) map[string]any {
	return map[string]any{"email": subject + "@acme.example", "email_verified": true, "hd": domain, "name": fullName}
}

func generic(subject, fullName, domain string) identity.Login {
	return identity.Login{
		Hook: identity.HookGeneric, Caller: "test", Providers: []string{"acme"}, Provider: "acme",
		Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: subject, Claims: claims(subject, fullName, domain)}},
	}
}

func login(fullName string) act {
	return logsIn(func(subject string) identity.Login { return generic(subject, fullName, "acme.example") })
}

func stranger(subject string) identity.Login { return generic(subject, first, "elsewhere.example") }

func kratosID(subject string) identity.ExternalID {
	return identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-" + subject}
}

func kratos(hook identity.Hook, subject string) identity.Login {
	l := identity.Login{
		Hook: hook, Caller: "kratos", Providers: []string{"*"}, Provider: "acme",
		External: identity.ExternalID{System: identity.SystemKratos, Instance: "main"},
		Offers: []identity.Offer{{
			Source: identity.SourceKratosMetadata, Provider: "acme", Issuer: issuer, Subject: subject, Claims: claims(subject, first, "acme.example"),
		}},
	}
	if hook != identity.HookPrepare {
		l.External = kratosID(subject)
	}
	return l
}

func prepare(subject string) identity.Login     { return kratos(identity.HookPrepare, subject) }
func kratosLogin(subject string) identity.Login { return kratos(identity.HookLogin, subject) }

func commit(ctx context.Context, h house, subject string) (identity.Decision, error) {
	return decided(h.Commit(ctx, kratos(identity.HookCommit, subject)))
}

// only is the subject's identity.
func only(ctx context.Context, h house, subject string) (identity.Identity, error) {
	found, err := h.store.Find(ctx, identity.FedKey(issuer, subject))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d identities, want one", len(found))
	}
	if err != nil {
		return identity.Identity{}, err
	}
	return found[0], nil
}

func record(i identity.Identity, subject string, d identity.Decision) identity.Record {
	return identity.Record{
		ID: uuid.Must(uuid.NewV7()).String(), At: time.Now(), Hook: identity.HookGeneric, Caller: "test", IdentityID: i.ID,
		SubjectKey: identity.FedKey(issuer, subject), Userstore: i.Userstore, Decision: d,
	}
}

func sweep(ctx context.Context, h house, subject string) (identity.Decision, error) {
	i, err := only(ctx, h, subject)
	if err != nil {
		return "", err
	}
	return identity.Deleted, h.store.Delete(ctx, i.ID, i.Revision, i.RenewedAt, record(i, subject, identity.Deleted))
}

// touchedAt is later than any login of a test.
var touchedAt = time.Date(2222, 2, 2, 2, 2, 2, 0, time.UTC)

func flush(ctx context.Context, h house, subject string) (identity.Decision, error) {
	i, err := only(ctx, h, subject)
	if err != nil {
		return "", err
	}
	return identity.Unchanged, h.store.Record(ctx, []identity.Record{record(i, subject, identity.Unchanged)}, []store.Touch{{ID: i.ID, At: touchedAt}})
}

// edit is the act of an administrator.
func edit(e provision.Edit) act {
	return func(ctx context.Context, h house, subject string) (identity.Decision, error) {
		i, err := only(ctx, h, subject)
		if err != nil {
			return "", err
		}
		out, err := h.Edit(ctx, provision.Target{ID: i.ID}, e)
		if err != nil {
			return "", err
		}
		return decided(out)
	}
}

// lease writes what a delivery worker writes: the outbox alone.
func lease(ctx context.Context, h house, subject string) (identity.Decision, error) {
	i, err := only(ctx, h, subject)
	if err != nil {
		return "", err
	}
	i.Arm("hr", time.Now())
	i.OutboxVersion++
	return identity.Unchanged, h.store.SetOutbox(ctx, i)
}

// deliver is a first login that its caller has signed.
func deliver(ctx context.Context, h house, subject string) (identity.Decision, error) {
	out, err := h.Deliver(ctx, provision.Delivery{ID: subject, Key: "key of " + subject, Digest: "digest", Expires: time.Now().Add(time.Hour)},
		generic(subject, first, "acme.example"))
	if err != nil {
		return "", err
	}
	return decided(out)
}

// deliverAgain sends the same message again: it creates who is not there yet,
// and says of everybody else what it said before, without a record.
func deliverAgain(ctx context.Context, h house, subject string) (identity.Decision, error) {
	found, err := h.store.Find(ctx, identity.FedKey(issuer, subject))
	if err != nil {
		return "", err
	}
	d, err := deliver(ctx, h, subject)
	if err == nil && d != identity.Created {
		err = fmt.Errorf("the same message was answered with %s", d)
	}
	if len(found) > 0 {
		d = identity.Unchanged
	}
	return d, err
}

func pin(ctx context.Context, h house, subject string) (identity.Decision, error) {
	return identity.Unchanged, h.store.Pin(ctx, identity.FedKey(issuer, subject), "employees")
}
