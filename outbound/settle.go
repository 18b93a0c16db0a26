package outbound

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

const (
	// maxAttempts is after how many failures a delivery is given up: a day and
	// a half, with pauses of up to maxPause.
	maxAttempts = 50
	maxPause    = time.Hour
	// maxFailure bounds what is stored of an error, in bytes.
	maxFailure = 200
	// settleAttempts bounds how often a settlement begins again that others
	// write to the same identity in between, as the queues of all its targets do.
	// After that the lease runs out.
	settleAttempts = 50
)

var errPanic = errors.New("the connector failed: its stack is in the log")

// claim is one delivery that this worker has leased.
type claim struct {
	identity identity.Identity // as it was leased
	told     identity.Identity // the same, with the resources as they were before
	lease    string
}

func (c claim) delivery(target string) identity.Delivery {
	return c.identity.Outbox[c.identity.DeliveryTo(target)]
}

// claim leases the identity's delivery, unless somebody else was faster.
func (q *queue) claim(ctx context.Context, i identity.Identity) (claim, bool) {
	n := i.DeliveryTo(q.target)
	if n < 0 {
		return claim{}, false
	}
	now := q.Now()
	c := claim{identity: i, told: i.Clone(), lease: crand.Text()}
	// Whatever becomes of this process: the target may have been told.
	q.intend(ctx, &c.identity, i.Outbox[n])
	c.identity.Outbox[n].Lease, c.identity.Outbox[n].Due = c.lease, now.Add(q.lease())
	c.identity.OutboxVersion++
	err := q.write(ctx, c.identity)
	switch {
	case errors.Is(err, store.ErrConflict):
		// Another target's queue may have been faster, in the same document: what is
		// still due is taken at once.
		q.wake()
	case err != nil:
		q.Log.WarnContext(ctx, "delivery cannot be leased", "target", q.target, "identity_id", i.ID, "error", err)
	}
	return c, err == nil
}

// write writes an outbox even if the worker is being stopped.
func (q *queue) write(ctx context.Context, i identity.Identity) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	return q.Store.SetOutbox(ctx, i)
}

// deliver makes one attempt, and settles it; over is called in between.
func (q *queue) deliver(ctx context.Context, c claim, over func()) error {
	ctx, span := q.trace(ctx, c)
	began := q.Now()
	has, err := q.attempt(ctx, c)
	over()
	stopped := err != nil && ctx.Err() != nil
	if !stopped {
		q.note(ctx, q.Now().Sub(began), err)
	}
	o := q.settle(ctx, c, has, err, stopped)
	span.Set("jithook.outcome", string(o))
	span.End(err)
	d := c.delivery(q.target)
	if q.Attempted != nil {
		q.Attempted(q.target, o, q.Now().Sub(d.Since))
	}
	log := q.Log.With("target", q.target, "identity_id", c.identity.ID, "revision", c.identity.Revision, "outcome", o)
	switch o {
	case Delivered:
		log.DebugContext(ctx, "delivered")
	case GivenUp:
		log.ErrorContext(ctx, "delivery given up: it waits for a person, or for the identity's next revision", "error", err)
	default:
		log.WarnContext(ctx, "not delivered", "attempts", d.Attempts+1, "error", err)
	}
	return err
}

// attempt calls the connector. What it panics at must not end the process.
func (q *queue) attempt(ctx context.Context, c claim) (has identity.Resource, err error) {
	ctx, cancel := context.WithTimeout(ctx, q.timeout())
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			// Not v: it may hold a value of the identity.
			q.Log.ErrorContext(ctx, "connector panicked", "target", q.target, "identity_id", c.identity.ID, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return q.connector.Deliver(ctx, c.told.Clone(), c.delivery(q.target))
}

// settle writes what became of a claim. Where that cannot be written the lease
// runs out and the delivery is made again.
func (q *queue) settle(ctx context.Context, c claim, has identity.Resource, failure error, stopped bool) Outcome {
	i := c.identity.Clone()
	for range settleAttempts {
		o, changed := q.settled(&i, c, failure, stopped)
		changed = q.remember(&i, c, has, o, failure) || changed
		if !changed {
			return o
		}
		i.OutboxVersion++
		err := q.write(ctx, i)
		if errors.Is(err, store.ErrConflict) {
			i, err = q.read(ctx, i.ID)
			if err == nil {
				continue
			}
		}
		switch {
		case errors.Is(err, store.ErrNotFound): // deleted meanwhile
		case err != nil:
			q.Log.WarnContext(ctx, "delivery cannot be settled and will be made again", "target", q.target, "identity_id", i.ID, "error", err)
			return Lost
		}
		return o
	}
	return Lost
}

func (q *queue) read(ctx context.Context, id string) (identity.Identity, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	return q.Store.Get(ctx, id)
}

// remember notes what the target has after an attempt with this outcome, and
// reports whether that is news. Only who has delivered, and holds the lease,
// knows all of it. Where the target was not called at all, what was intended is
// taken back.
func (q *queue) remember(i *identity.Identity, c claim, has identity.Resource, o Outcome, failure error) (news bool) {
	noted, _ := i.Resource(q.target)
	_, uncalled := errors.AsType[*uncalledError](failure)
	switch {
	case uncalled && o != Lost:
		before, told := c.told.Resource(q.target)
		before.ID = cmp.Or(noted.ID, before.ID) // a comparison may have noted it
		if i.Remember(before); !told && before.ID == "" {
			i.Forget(q.target)
		}
		return true
	case o == Delivered && has.ID == "" && has.Told == "" && len(has.Groups) == 0:
		i.Forget(q.target)
		return true
	case o == Lost: // who took over knows better
		has.ID, has.Told = cmp.Or(noted.ID, has.ID), noted.Told
	case o != Delivered:
		has.ID, has.Told = cmp.Or(has.ID, noted.ID), cmp.Or(has.Told, noted.Told)
	}
	if o != Delivered {
		has.Groups = slices.Concat(has.Groups, noted.Groups)
	}
	has.Target = q.target
	i.Remember(has)
	after, _ := i.Resource(q.target)
	return o != Lost || after.ID != noted.ID || !slices.Equal(after.Groups, noted.Groups)
}

// settled changes the outbox of an identity, as it is in the store, by the
// outcome of a claim, and reports whether there was something to change.
func (q *queue) settled(i *identity.Identity, c claim, failure error, stopped bool) (o Outcome, changed bool) {
	n := i.DeliveryTo(q.target)
	if n < 0 || i.Outbox[n].Lease != c.lease {
		return Lost, q.lost(i, n)
	}
	d := &i.Outbox[n]
	now := q.Now()
	// Armed meanwhile, or asked for.
	newer := d.Revision > c.identity.Revision || d.Again && !c.delivery(q.target).Again
	d.Lease, d.Due = "", now
	switch {
	case stopped:
		return Released, true
	case failure == nil && newer:
		d.Since, d.Attempts, d.Failure = now, 0, ""
		return Delivered, true
	case failure == nil:
		i.Outbox = slices.Delete(i.Outbox, n, n+1)
		return Delivered, true
	}
	d.Attempts++
	d.Failure = failureText(failure)
	d.Due = now.Add(max(later(failure), pause(d.Attempts, maxPause)))
	var rejected *RejectedError
	if !newer && (errors.As(failure, &rejected) || d.Attempts >= maxAttempts) {
		d.Dead = true
		return GivenUp, true
	}
	return Failed, true
}

// lost is about a lease that ran out while the target was being told: by a
// clock that differs, or a process that stood still. Another worker may have
// told it something newer at the same time, and who came last there nobody
// knows. So the target is told once more when everybody who may be under way
// is done, and whoever is cannot settle.
func (q *queue) lost(i *identity.Identity, n int) (changed bool) {
	if n < 0 {
		now := q.Now()
		i.Outbox = append(i.Outbox, identity.Delivery{Target: q.target, Revision: i.Revision, Since: now, Due: now.Add(q.lease())})
		return true
	}
	changed = i.Outbox[n].Lease != ""
	i.Outbox[n].Lease = ""
	return changed
}

func failureText(err error) string {
	text := strings.ToValidUTF8(err.Error(), "\ufffd")
	if len(text) > maxFailure {
		text = strings.ToValidUTF8(text[:maxFailure], "")
	}
	return text
}
