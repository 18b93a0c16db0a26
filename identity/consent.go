package identity

import (
	"slices"
	"time"
)

// SourceUser is the source of what the person answered to a question of ours.
// Nobody vouches for it.
const SourceUser = "user"

// Consent is one version of something that the person has accepted.
type Consent struct {
	Path    string    `json:"path"`    // JSON Pointer into the traits: where the answer stands
	Version string    `json:"version"` // of what was accepted, as the provider's file names it
	At      time.Time `json:"at"`
	Source  string    `json:"source"` // the ProviderSource whose file asked
}

// Accepted reports whether the person has accepted this version, and has not
// taken it back since: the answer still stands in the trait.
func (i *Identity) Accepted(path, version string) bool {
	if v, _ := i.Trait(path); v != true {
		return false
	}
	return slices.ContainsFunc(i.Consents, func(c Consent) bool { return c.Path == path && c.Version == version })
}
