//go:build unix

package histories_test

// One subject as it should be: a state, and what each operation makes of it.

import (
	"fmt"
	"math"

	"github.com/anishathalye/porcupine"

	"github.com/jithook/jithook/identity"
)

// subject is what is known of one (issuer, subject). The zero value is nobody.
type subject struct {
	id       string // unheard where nobody was told it
	state    identity.State
	name     string
	revision int64
}

// unheard is the id of an identity that an operation made whose answer was lost.
const unheard = "?"

// operation is what a client asked for.
type operation struct {
	kind string // login, read, suspend, deprovision, activate, delete
	id   string // of the identity that an administrator means
	name string // what the provider says at a login
	// over is when it was no longer under way, whatever the answer was.
	over int64
}

// result is what the client heard. Status 0 is nothing, or nothing certain: the
// operation may have happened, may still happen, or never.
type result struct {
	status  int
	subject subject // as the answer shows it
}

// effect is what a subject becomes by an operation that gets through.
func (o operation) effect(s subject) subject {
	to := map[string]identity.State{"suspend": identity.StateSuspended, "deprovision": identity.StateDeprovisioned, "activate": identity.StateActive}
	switch {
	case o.kind == "login" && s == subject{}:
		return subject{unheard, identity.StateActive, o.name, 1}
	case o.kind == "login" && s.state == identity.StateActive && s.name != o.name:
		s.name = o.name
		s.revision++
	case o.kind == "login", o.kind == "read", s.id != o.id:
	case o.kind == "delete":
		return subject{}
	case s.state != to[o.kind] && !o.refused(s):
		s.state = to[o.kind]
		s.revision++
	}
	return s
}

// refused reports whether the state does not allow what the administrator asks.
func (o operation) refused(s subject) bool {
	return o.kind == "suspend" && s.state == identity.StateDeprovisioned
}

// next lists what the subject may be after the operation with this result; none
// says that the result cannot be.
func next(s subject, o operation, r result) []subject {
	after := o.effect(s)
	switch {
	case r.status == 0:
		return []subject{s, after}
	case o.kind == "login" && r.status == 403:
		return only(s, s.id != "" && s.state == r.subject.state)
	case o.kind == "login":
		shown := r.subject
		if shown.revision == 0 { // a login's answer does not tell it
			shown.revision = after.revision
		}
		return heard(after, shown)
	case o.kind == "read":
		return heard(s, r.subject)
	case r.status == 404:
		return only(s, s.id != o.id)
	case r.status == 409:
		return only(s, s.id == o.id && o.refused(s))
	case o.kind == "delete": // it is gone; by whom, a lost answer does not tell
		return only(after, true)
	case s.id != o.id || o.refused(s):
		return nil
	}
	return heard(after, r.subject)
}

func only(s subject, possible bool) []subject {
	if !possible {
		return nil
	}
	return []subject{s}
}

// heard is the subject once an answer has shown it.
func heard(s, shown subject) []subject {
	if s.id == unheard && shown.id != "" {
		s.id = shown.id
	}
	return only(s, s == shown)
}

var model = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{subject{}} },
	Step: func(s, in, out any) []any {
		var all []any
		for _, n := range next(s.(subject), in.(operation), out.(result)) {
			all = append(all, n)
		}
		return all
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(in, out any) string {
		return fmt.Sprintf("%+v -> %+v", in, out)
	},
}).ToModel()

// open is when an operation without a certain answer ends.
const open = int64(math.MaxInt64)
