package identity

import (
	"slices"
	"time"
)

// Hold is a change of groups that waits for an administrator: a provider's
// claims would have revoked more memberships at once than its file allows.
type Hold struct {
	// ID is that of the identity, a dot and some letters. Another change has
	// another one: whoever releases it has seen what it does.
	ID     string    `json:"id"`
	Source string    `json:"source"` // the ProviderSource whose claims are held back
	At     time.Time `json:"at"`
	// Groups are the memberships that would go, sorted like the identity's, of
	// which they are some.
	Groups []Group `json:"groups"`
}

// Hold returns the index of the hold with this id, or -1.
func (i *Identity) Hold(id string) int {
	return slices.IndexFunc(i.Holds, func(h Hold) bool { return h.ID == id })
}

// HavingHold is what an identity has that has holds; see Having.
const HavingHold = "hold"
