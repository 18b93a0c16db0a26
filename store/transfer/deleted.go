package transfer

import (
	"errors"

	"github.com/jithook/jithook/identity"
)

// checkDeleted holds what is left of a deleted identity to what it is there for:
// it has somebody to tell, and keeps nobody out.
func checkDeleted(i *identity.Identity) error {
	if len(i.Outbox) == 0 || len(i.Keys)+len(i.Links)+len(i.Traits)+len(i.Groups)+len(i.Proposals)+len(i.Holds) > 0 {
		return errors.New("the identity is deleted, and has a key, a link, a trait or a group, or no target that has yet to learn of that")
	}
	return nil
}
