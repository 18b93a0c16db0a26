package provider

import (
	"time"

	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/policy"
)

// minLease is the shortest lease: last_login_at is up to an hour late, and a
// lease of minutes would bar people between two sign-ins of one day.
const minLease = 24 * time.Hour

// lease is jit.inactive_after; 0 is for ever.
type lease time.Duration

// DecodeYAML implements strictyaml.Decoder.
func (l *lease) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	var d time.Duration
	if problems := n.Decode(&d); len(problems) > 0 {
		return problems
	}
	if d != 0 && d < minLease {
		return []strictyaml.Problem{n.Problemf("a lease is 24h at least; 0 is for ever")}
	}
	*l = lease(d)
	return nil
}

// limit is how often something may happen.
type limit int

// DecodeYAML implements strictyaml.Decoder. It refuses 0, which could mean no
// limit or nothing at all.
func (l *limit) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	var v int
	if problems := n.Decode(&v); len(problems) > 0 {
		return problems
	}
	if v < 1 {
		return []strictyaml.Problem{n.Problemf("a limit is 1 at least; without one, leave the key out")}
	}
	*l = limit(v)
	return nil
}

// What Kratos is answered when the store has failed.
const (
	storeErrorMessage = "message"
	storeErrorRetry   = "retry"
)

// What a login does to a state that its provider has set.
const (
	stateDeny     = "deny"
	stateActivate = "activate"
)

// lifecycle is what the file says of the life of identities.
func (c *compiler) lifecycle(jit jitSection) policy.Lifecycle {
	return policy.Lifecycle{
		InactiveAfter:       time.Duration(jit.InactiveAfter),
		ReturnSuspended:     c.oneOf(jit.OnSuspended, stateDeny, stateDeny, stateActivate) == stateActivate,
		ReturnDeprovisioned: c.oneOf(jit.OnDeprovisioned, stateDeny, stateDeny, stateActivate) == stateActivate,
		MaxCreatesPerHour:   int(jit.Limits.MaxCreatesPerHour),
	}
}
