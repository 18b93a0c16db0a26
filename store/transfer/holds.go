package transfer

import (
	"errors"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
)

// checkHolds holds what is held to what a release relies on: an id that leads to
// the identity, and groups that it has.
func checkHolds(i *identity.Identity) error {
	for n, h := range i.Holds {
		foreign := func(g identity.Group) bool { return !slices.Contains(i.Groups, g) }
		if !strings.HasPrefix(h.ID, i.ID+".") || i.Hold(h.ID) != n || h.Source == "" || h.At.IsZero() || len(h.Groups) == 0 || slices.ContainsFunc(h.Groups, foreign) {
			return errors.New("the identity has a hold without its id, source or time, or of groups that it does not have, or two of one id")
		}
	}
	return nil
}
