package policy

import "time"

// GroupSync says how a login brings the groups that its mapping yields into an
// identity. What another source granted it never touches.
type GroupSync string

const (
	// GroupsMirror makes the memberships that the provider granted exactly
	// those that its mapping yields.
	GroupsMirror GroupSync = "mirror"
	// GroupsAppend grants and never revokes.
	GroupsAppend GroupSync = "append"
	// GroupsAssign grants once: when the provider's link to the identity is
	// made.
	GroupsAssign GroupSync = "assign"
	// GroupsNone grants and revokes nothing.
	GroupsNone GroupSync = "none"
)

// GroupPolicy says what becomes of an identity's groups at a login.
type GroupPolicy struct {
	Sync GroupSync
	// UnknownMax bounds how long memberships are kept while nobody knows the
	// provider's groups; 0 does not.
	UnknownMax time.Duration
	// MaxRemovals is how many memberships of one person a login may revoke under
	// GroupsMirror; one that would revoke more is held back. nil bounds nothing,
	// and is what goes with the other methods.
	MaxRemovals *int
}

// Groups returns what becomes of groups.
func (p *Policy) Groups() GroupPolicy { return p.groups }
