package provision

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jithook/jithook/identity"
)

// tellTime bounds how long a login waits for all its targets, inside the 1.5 s
// that it has.
const tellTime = time.Second

// refusalTime is how long a login that was refused by a target waits for its record to
// be written, whose time may be used up; then it waits for the store beside it.
const refusalTime = 500 * time.Millisecond

// tell has the targets that a login waits for learn of the identity, as far as
// they have yet to, and reports whether the login may go on. Only those logins
// wait that somebody is asked for at that very moment: prepare comes before
// Kratos has the person, and commit can refuse nothing.
func (s *Service) tell(ctx context.Context, l identity.Login, i *identity.Identity) bool {
	if i == nil || s.Await == nil || l.Hook != identity.HookGeneric && l.Hook != identity.HookLogin {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	// All at the same time: none is in another's way, and each is asked before it is
	// judged.
	var all sync.WaitGroup
	var refused atomic.Bool
	for _, d := range i.Outbox {
		denies, waits := s.Blocking[d.Target]
		if !waits {
			continue
		}
		all.Go(func() {
			err := s.tellOne(ctx, d.Target, i.Clone())
			if err == nil || refused.Load() { // another has ended the wait
				return
			}
			s.Log.WarnContext(ctx, "a login's target has yet to learn of it", "target", d.Target, "identity_id", i.ID, "denied", denies, "error", err)
			if denies {
				refused.Store(true)
				cancel()
			}
		})
	}
	all.Wait()
	return !refused.Load()
}

// tellOne is Await, of which a panic is an error: nobody else could keep it from ending
// the process.
func (s *Service) tellOne(ctx context.Context, target string, i identity.Identity) (err error) {
	defer func() {
		if recover() != nil { // with what may be a value of the identity
			s.Log.ErrorContext(ctx, "telling a login's target panicked", "target", target, "identity_id", i.ID, "stack", string(debug.Stack()))
			err = errors.New("it panicked: its stack is in the log")
		}
	}()
	return s.Await(ctx, target, i)
}

// tellWritten is tell for what has just been written. A login that is refused
// then says so in its own record: what it wrote stays, and goes out later.
func (s *Service) tellWritten(ctx context.Context, l identity.Login, p Plan, out Outcome) Outcome {
	if p.op != opInsert && p.op != opSwap || !out.Record.Decision.Allowed() || s.tell(ctx, l, out.Identity) {
		return out
	}
	r := out.Record
	r.Decision = identity.Denied
	r.Reasons = []identity.Reason{identity.Because(identity.CodeTargetUnavailable)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalTime)
	defer cancel()
	s.record(ctx, r)
	return Outcome{Record: r}
}
