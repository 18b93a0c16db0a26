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

// lifecycle is what the file says of the life of identities.
func (c *compiler) lifecycle(jit jitSection) policy.Lifecycle {
	return policy.Lifecycle{InactiveAfter: time.Duration(jit.InactiveAfter)}
}
