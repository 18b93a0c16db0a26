package policy

// AttributeSync says what a returning login does to the traits that are stored.
// A trait's own `sync` in the mapping overrides it.
type AttributeSync string

// The methods. The empty string is PreserveLocal.
const (
	// OverrideAll makes the traits exactly what the mapping yields.
	OverrideAll AttributeSync = "override_all"
	// PreserveLocal writes what this provider wrote last, and what nobody wrote.
	PreserveLocal AttributeSync = "preserve_local"
	// SyncNone writes no trait after creation.
	SyncNone AttributeSync = "none"
)

// AttributeSync returns the method of the provider.
func (p *Policy) AttributeSync() AttributeSync { return p.attributeSync }
