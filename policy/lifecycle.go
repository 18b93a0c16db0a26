package policy

import "time"

// Lifecycle is what a policy says of the life of the identities that its
// provider vouches for. The zero value says nothing.
type Lifecycle struct {
	// InactiveAfter is the lease of who does not sign in; 0 is for ever.
	InactiveAfter time.Duration
	// ReturnSuspended and ReturnDeprovisioned let a login undo what this very
	// provider has done to the person's state.
	ReturnSuspended, ReturnDeprovisioned bool
	// MaxCreatesPerHour bounds the identities that the provider's logins make
	// in one hour of the clock; 0 does not.
	MaxCreatesPerHour int
}

// Lifecycle returns what the policy says of the life of identities.
func (p *Policy) Lifecycle() Lifecycle { return p.lifecycle }
