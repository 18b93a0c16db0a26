//go:build unix

package mongo_test

// A write whose outcome is unknown is never guessed: what was done counts as
// done, what was not done left nothing behind, and what arrives late meets the
// unique index or the revision.

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/faultproxy"
)

func writeError(code int32) bson.D {
	return bson.D{{Key: "n", Value: int32(0)}, {Key: "ok", Value: 1.0}, {Key: "writeErrors", Value: bson.A{
		bson.D{{Key: "index", Value: int32(0)}, {Key: "code", Value: code}, {Key: "errmsg", Value: "geheim"}},
	}}}
}

func commandError(code int32) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: code}, {Key: "errmsg", Value: "geheim"}}
}

// unclear lists what leaves the outcome of a write open, with whether it was
// done.
var unclear = []struct {
	name  string
	fault faultproxy.Fault
	done  bool
	limit time.Duration
}{
	{"the reply is lost", faultproxy.DropReply(), true, recovery},
	{"the reply never comes", faultproxy.HangReply(), true, patience},
	{"the primary stepped down after it", faultproxy.NotWritablePrimary(true), true, recovery},
	{"a majority came too late", faultproxy.WriteConcernError(64, true), true, recovery},
	{"a shutdown after it", faultproxy.WriteConcernError(91, true), true, recovery},
	{"an unknown code after it", faultproxy.Answer(commandError(16908292), true), true, recovery},
	{"a duplicate of its own", faultproxy.Answer(writeError(11000), true), true, recovery},
	{"it is lost", faultproxy.Cut(), false, recovery},
	{"it never arrives", faultproxy.Hang(), false, patience},
	{"the primary stepped down before it", faultproxy.NotWritablePrimary(false), false, recovery},
	{"it was rolled back", faultproxy.WriteConcernError(64, false), false, recovery},
	{"an unknown code instead of it", faultproxy.Answer(commandError(1), false), false, recovery},
	{"a duplicate of what is gone", faultproxy.Answer(writeError(11000), false), false, recovery},
}

// write is one operation on an identity that was inserted and has been moved.
type write struct {
	command string
	call    func(context.Context, *mongo.Store, *identity.Identity, identity.Record) error
}

var writes = map[string]write{
	"Insert": {"insert", func(ctx context.Context, s *mongo.Store, i *identity.Identity, r identity.Record) error {
		*i = newIdentity(2)
		i.Arm("hr", time.Now())
		return s.Insert(ctx, *i, r)
	}},
	"Swap": {"update", func(ctx context.Context, s *mongo.Store, i *identity.Identity, r identity.Record) error {
		i.Revision++
		i.Keys = newIdentity(1).Keys
		i.Arm("hr", time.Now())
		return s.Swap(ctx, *i, r)
	}},
	"Renew": {"update", func(ctx context.Context, s *mongo.Store, i *identity.Identity, r identity.Record) error {
		i.RenewedAt = time.Now()
		return s.Renew(ctx, i.ID, i.Revision, i.RenewedAt, r)
	}},
	"SetOutbox": {"update", func(ctx context.Context, s *mongo.Store, i *identity.Identity, _ identity.Record) error {
		i.OutboxVersion++
		i.Arm("hr", time.Now())
		return s.SetOutbox(ctx, *i)
	}},
	"Delete": {"delete", func(ctx context.Context, s *mongo.Store, i *identity.Identity, r identity.Record) error {
		return s.Delete(ctx, i.ID, i.Revision, i.RenewedAt, identity.Record{})
	}},
}

func TestUnclearWrites(t *testing.T) {
	for op, write := range writes {
		t.Run(op, func(t *testing.T) {
			t.Parallel() // it waits most of the time, for answers that do not come
			w := newWorld(t, peer.Server(t))
			must(t, w.store.Close()) // each case has one of its own, which nothing else has used
			for _, c := range unclear {
				t.Run(c.name, func(t *testing.T) { w.unclear(t, op, write, c.fault, c.done, c.limit) })
			}
		})
	}
}

// unclear makes a write that meets the fault, which leaves its outcome open.
func (w world) unclear(t *testing.T, op string, write write, fault faultproxy.Fault, done bool, limit time.Duration) {
	s := w.through(t)
	w.quiet(t, s)
	before, _ := moved(t, w.direct)
	after, r := before, newRecord(before)
	w.proxy.On(faultproxy.Match{Command: write.command, Collection: "identities", Nth: 1}, fault)
	defer w.proxy.Heal()
	var err error
	within(t, limit+slack, func() { err = write.call(impatient(t, limit), s, &after, r) })
	again := before
	if done {
		must(t, err)
		w.wantDone(t, op, after, r)
		again, _ = moved(t, w.direct)
	} else {
		if !errors.Is(err, store.ErrConflict) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v, want ErrConflict: plan again", op, err)
		}
		w.wantUndone(t, before, after, r)
	}
	// Whoever plans again succeeds.
	must(t, write.call(t.Context(), s, &again, newRecord(again)))
}

// A refusal for good needs no reading back, and is no conflict: to plan again
// would not help.
func TestRefusedWrites(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	w.quiet(t, w.store)
	for says, answer := range map[string]bson.D{
		"remove the rule": writeError(121), "readWrite": commandError(13), "too large": writeError(10334),
	} {
		for op, write := range writes {
			before, _ := moved(t, w.direct)
			after, r := before, newRecord(before)
			w.proxy.On(faultproxy.Match{Command: write.command, Collection: "identities"}, faultproxy.Answer(answer, false))
			read := w.proxy.On(faultproxy.Match{Command: "find", Collection: "identities"}, faultproxy.Delay(0))
			err := write.call(impatient(t, recovery), w.store, &after, r)
			wantFailure(t, err, says, "geheim")
			select {
			case <-read.Arrived():
				if op != "Delete" { // which reads before it writes
					t.Errorf("%s read back after a refusal", op)
				}
			default:
			}
			w.proxy.Heal()
			w.wantUndone(t, before, after, r)
		}
	}
}

// Somebody else holds the key: that is an answer, however the server put it.
func TestUnclearWriteOfATakenKey(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	w.quiet(t, w.store)
	holder, _ := moved(t, w.direct)
	mine, _ := moved(t, w.direct)
	for _, fault := range []faultproxy.Fault{
		faultproxy.DropReply(), faultproxy.NotWritablePrimary(false), faultproxy.Answer(commandError(1), false), faultproxy.Cut(),
	} {
		w.proxy.On(faultproxy.Match{Command: "insert", Collection: "identities", Nth: 1}, fault)
		w.proxy.On(faultproxy.Match{Command: "update", Collection: "identities", Nth: 1}, fault)
		i := newIdentity(0)
		i.Keys = holder.Keys
		swapped := mine
		swapped.Revision, swapped.Keys = mine.Revision+1, holder.Keys
		for what, err := range map[string]error{
			"Insert": w.store.Insert(impatient(t, recovery), i, newRecord(i)),
			"Swap":   w.store.Swap(impatient(t, recovery), swapped, newRecord(mine)),
		} {
			var taken *store.TakenError
			if !errors.As(err, &taken) || taken.Key != holder.Keys[0] {
				t.Errorf("%s: %v, want a TakenError", what, err)
			}
		}
		w.proxy.Heal()
	}
	w.wantHolder(t, holder)
	w.wantHolder(t, mine)
}

// Nobody can be asked either: the error says that the outcome is open.
func TestUnclearAndUnreachable(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	i := newIdentity(1)
	r := newRecord(i)
	rule := w.proxy.On(faultproxy.Match{Command: "insert", Collection: "identities", Nth: 1}, faultproxy.HangReply())
	go func() { <-rule.Served(); w.proxy.Down() }()
	within(t, patience+slack, func() { wantFailure(t, w.store.Insert(impatient(t, patience), i, r), "may still succeed") })
	w.proxy.Up()
	w.wantDone(t, "Insert", i, r)
	must(t, w.direct.Insert(t.Context(), i, r)) // one's own earlier attempt
}

// A change that was done and changed again before it could be read back is a
// conflict, and the later one stays.
func TestUnclearAndOvertaken(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	w.quiet(t, w.store)
	i, _ := moved(t, w.direct)
	rule := w.proxy.On(faultproxy.Match{Command: "update", Collection: "identities", Nth: 1}, faultproxy.HangReply())
	i.Revision++
	later := i
	later.Revision++
	result := make(chan error, 1)
	go func() {
		<-rule.Served()
		result <- w.direct.Swap(context.Background(), later, newRecord(later))
	}()
	if err := w.store.Swap(impatient(t, patience), i, newRecord(i)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Swap: %v, want ErrConflict", err)
	}
	must(t, <-result)
	got, err := w.direct.Get(t.Context(), i.ID)
	must(t, err)
	if got.Revision != later.Revision {
		t.Errorf("revision %d, want the later writer's %d", got.Revision, later.Revision)
	}
}

// A change that was not done is not taken for one because somebody else's has
// reached the revision that it meant to reach.
func TestUnclearAndSomebodyElses(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	w.quiet(t, w.store)
	mine, _ := moved(t, w.direct)
	rule := w.proxy.On(faultproxy.Match{Command: "update", Collection: "identities", Nth: 1}, faultproxy.Hang())
	mine.Revision++
	theirs := mine
	theirs.UpdatedAt = theirs.UpdatedAt.Add(time.Hour)
	result := make(chan error, 1)
	go func() {
		<-rule.Arrived()
		result <- w.direct.Swap(context.Background(), theirs, newRecord(theirs))
	}()
	if err := w.store.Swap(impatient(t, patience), mine, newRecord(mine)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Swap: %v, want ErrConflict", err)
	}
	must(t, <-result)
}
