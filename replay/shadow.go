package replay

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// Recorder takes the records of what differs; it never blocks.
type Recorder interface {
	Add(record identity.Record, touch *store.Touch)
}

// Counter counts what a Shadow does.
type Counter interface {
	// Shadowed is called for every login that was compared.
	Shadowed(provider string, kinds []string)
	// ShadowDropped: the queue was full. ShadowFailed: it could not be compared.
	ShadowDropped()
	ShadowFailed()
}

const (
	// shadowQueue bounds the logins that wait to be compared, each with its claims.
	shadowQueue = 64
	// shadowTime bounds one comparison.
	shadowTime = 2 * time.Second
)

// Shadow decides a sample of the logins again, beside the server that has decided
// them and not in its way. Its fields are set before the first call and not
// changed after.
type Shadow struct {
	Store Store
	// Live are the providers' files in force, Candidate those that might be; of
	// none of the latter nothing is compared.
	Live, Candidate func() *provider.Set
	Userstores      []string
	// Sample is which part of the logins is compared, 1 is all.
	Sample float64
	Now    func() time.Time
	Log    *slog.Logger
	Later  Recorder
	Count  Counter

	queue chan provision.Decided
	pair  *Pair // of live and candidate
	live  *provider.Set
	next  *provider.Set
}

// NewShadow returns s, ready to See and Run.
func NewShadow(s Shadow) *Shadow {
	s.queue = make(chan provision.Decided, shadowQueue)
	return &s
}

// See takes a login into the sample, or not. It never blocks.
func (s *Shadow) See(d provision.Decided) {
	if s.Candidate().Len() == 0 || rand.Float64() >= s.Sample {
		return
	}
	select {
	case s.queue <- d:
	default:
		s.Count.ShadowDropped()
	}
}

// Run compares what See has taken until ctx ends. What waits then is dropped.
func (s *Shadow) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-s.queue:
			s.compare(ctx, d)
		}
	}
}

// compare compares one login and survives it: a candidate must not end a server
// that does not follow it.
func (s *Shadow) compare(ctx context.Context, d provision.Decided) {
	defer func() {
		if recover() != nil { // what it says may hold a value
			s.Count.ShadowFailed()
			s.Log.ErrorContext(ctx, "panic while a login was compared with candidate files", "decision_id", d.Record.ID)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, shadowTime)
	defer cancel()
	start := s.Now()
	l, as := Login{Record: d.Record, Subject: d.Evidence.Subject, Claims: d.Evidence.Claims}, Returning
	if d.Before == nil {
		as = First
	}
	found, err := s.current().compare(ctx, l, as, func(int) *view {
		return &view{store: s.Store, gone: d.Record.IdentityID, instead: d.Before}
	})
	if err != nil {
		s.Count.ShadowFailed()
		s.Log.WarnContext(ctx, "a login was not compared with candidate files", "decision_id", d.Record.ID, "error", err)
		return
	}
	s.Count.Shadowed(d.Record.Provider, found.kinds())
	if len(found.Kinds) > 0 {
		r := found.record(d.Record)
		r.At, r.Duration = start, s.Now().Sub(start)
		s.Later.Add(r, nil)
	}
}

// current is the pair of the files as they are now.
func (s *Shadow) current() *Pair {
	live, next := s.Live(), s.Candidate()
	if s.pair == nil || s.live != live || s.next != next {
		s.pair, s.live, s.next = NewPair(s.Store, live, next, s.Userstores, s.Now), live, next
	}
	return s.pair
}

func (d *Difference) kinds() []string {
	names := []string{}
	for _, k := range d.Kinds {
		names = append(names, string(k))
	}
	return names
}

// record is what is kept of a difference about a login.
func (d *Difference) record(login identity.Record) identity.Record {
	return identity.Record{
		ID: uuid.Must(uuid.NewV7()).String(), Hook: login.Hook, Caller: login.Caller, Provider: login.Provider, Issuer: login.Issuer,
		SubjectKey: login.SubjectKey, IdentityID: d.IdentityID, Userstore: login.Userstore,
		Decision: identity.Shadowed, Reasons: d.candidate.Reasons, Rule: d.candidate.Rule, Policy: d.candidate.Policy,
		Source: login.Source, Normalised: login.Normalised, Change: d.changes(),
		FlowID: login.FlowID, DeliveryID: login.DeliveryID, RequestID: login.RequestID,
		Shadow: &identity.Shadow{Of: login.ID, Decision: d.candidate.Decision, Kinds: d.kinds()},
	}
}

// changes are what the candidate does otherwise, as paths of the identity.
func (d *Difference) changes() []identity.Change {
	var all []identity.Change
	for _, c := range d.Traits {
		if c.Op != identity.OpRemove {
			c.Op = identity.OpSet
		}
		all = append(all, identity.Change(c))
	}
	for _, list := range []struct {
		above, op string
		names     []string
	}{
		{"/groups", identity.OpSet, d.Gained}, {"/groups", identity.OpRemove, d.Lost},
		{"/links", identity.OpSet, d.Linked}, {"/links", identity.OpRemove, d.Unlinked},
	} {
		for _, name := range list.names {
			all = append(all, identity.Change{Path: list.above + identity.Pointer(name), Op: list.op})
		}
	}
	if d.Elsewhere != "" {
		all = append(all, identity.Change{Path: "/userstore", Op: identity.OpSet})
	}
	return all
}
