package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// A write is clear when the server says that it is done, or when it was refused
// for a reason that rules it out. Everything else is unclear: a lost reply, no
// primary any more, a write concern that was not met, a duplicate key (it may
// be our own, from an attempt that the driver repeated), a code that we do not
// know. Then the database is read back:
//
//   - the write's own mark is there: it is done;
//   - somebody else holds a key: store.TakenError;
//   - neither: store.ErrConflict, plan again. The write may still arrive. A
//     late insert has an id that nobody uses again, and meets the unique index;
//     a late change meets the revision.
//
// MongoDB promises linearizable reads for a filter that identifies one document,
// and ours asks for the holders of keys too: the worst that one of those who is
// not seen costs is a conflict and a new plan, which meets the unique index.

// early ends at two thirds of the time that ctx has left, so that a write
// without an answer leaves time to read back.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)*2/3)
}

// readBack returns the identity with the id and all that hold one of the keys,
// pins among them, from the latest state of the database, as it will last.
func (db *database) readBack(ctx context.Context, id string, keys []string) ([]identityDoc, error) {
	filter := bson.D{{Key: "$or", Value: bson.A{byID(id), holding(keys)}}}
	found, err := latest[identityDoc](ctx, db.identities, filter, identityOptions())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnclear, err)
	}
	return found, nil
}

// latest is all from the latest state, as it will last: a linearizable read,
// which is neither older than what this call has seen nor rolled back later.
func latest[T any](ctx context.Context, c *driver.Collection, filter bson.D, opts *options.FindOptionsBuilder) ([]T, error) {
	found, err := all[T](ctx, c.Clone(options.Collection().SetReadConcern(readconcern.Linearizable())), filter, opts)
	if notLinearizable(err) {
		return all[T](ctx, c, filter, opts)
	}
	return found, err
}

// notLinearizable reports whether a server refused to read like that: one that
// stands alone has nobody else to ask, and its latest state is what it has.
func notLinearizable(err error) bool {
	var command driver.CommandError
	if !errors.As(err, &command) {
		return false
	}
	switch command.Code {
	case 2, 9, 20, 72, 115, 123, 238: // BadValue … NotAReplicaSet, NotImplemented
		return true
	}
	return false
}

// resolveInsert tells the outcome of an unclear insert of i.
func (db *database) resolveInsert(ctx context.Context, i identity.Identity) error {
	found, err := db.readBack(ctx, i.ID, texts(i.Keys))
	if err != nil {
		return err
	}
	for _, d := range found {
		if d.ID == i.ID && d.Content.Revision == i.Revision {
			return nil
		}
		if d.ID == i.ID {
			return store.ErrConflict
		}
	}
	return taken(found, i.ID, i.Keys)
}

// resolveUpdate tells the outcome of an unclear change of the identity id by
// the write of that name, from a revision, to the keys.
func (db *database) resolveUpdate(ctx context.Context, id, write string, from int64, keys []identity.Key) error {
	found, err := db.readBack(ctx, id, texts(keys))
	if err != nil {
		return err
	}
	n := slices.IndexFunc(found, func(d identityDoc) bool { return d.ID == id })
	switch {
	case n < 0:
		return store.ErrConflict
	case found[n].Content.Write == write:
		return nil
	case found[n].Content.Revision != from:
		return store.ErrConflict
	}
	return taken(found, id, keys)
}

// taken returns a TakenError for the first of keys that another identity than
// id holds, or an ElsewhereError if it is pinned; if there is none, ErrConflict.
func taken(found []identityDoc, id string, keys []identity.Key) error {
	found, pins := apart(found)
	for _, k := range keys {
		if userstore, pinned := pins[k]; pinned {
			return &store.ElsewhereError{Pins: map[identity.Key]string{k: userstore}}
		}
		for _, d := range found {
			if d.ID != id && slices.Contains(d.Content.Keys, string(k)) {
				return &store.TakenError{Key: k}
			}
		}
	}
	return store.ErrConflict
}

// refused reports whether a write was refused for a reason that rules out that
// it was, or will be, carried out.
func refused(err error) bool {
	var f fault
	var marshal driver.MarshalError
	var command driver.CommandError
	var write driver.WriteException
	switch {
	case errors.As(err, &f), errors.As(err, &marshal):
		return true
	case errors.As(err, &command):
		return refusal(int(command.Code))
	case errors.As(err, &write):
		// With a write concern's error a write was carried out.
		return write.WriteConcernError == nil && len(write.WriteErrors) > 0 && refusal(write.WriteErrors[0].Code)
	}
	return false
}

// refusal lists the server's codes that refuse a document or a user for good.
func refusal(code int) bool {
	switch code {
	case 13, 18, 121, 10334, 17280, 17419:
		return true
	}
	return false
}

// knownCode says what a code of the server means for an operator. The numbers
// are those of MongoDB's error_codes.yml.
func knownCode(code int) (why string, ok bool) {
	switch code {
	case 13:
		return "not authorized: the user needs the role readWrite on the database", true
	case 18:
		return "authentication failed: check user, password and authSource in the URI", true
	case 50, 262:
		return "the server ran out of time", true
	case 64, 79, 100:
		return "too few members of the replica set acknowledged: check its members", true
	case 85, 86:
		return "an index has the name of one of ours and is another: drop it", true
	case 91, 189, 10058, 10107, 11600, 11602, 13435, 13436:
		return "there is no primary at the moment: check the replica set", true
	case 121:
		return "a validation rule of the collection refuses what jithook writes: remove the rule", true
	case 10334, 17280, 17419:
		return "the document is too large", true
	}
	return "", false
}
