package bolt

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Find returns the identities that hold any of the keys, sorted by id, from
// one state of the file, and which keys are pinned; see store.Store.
func (s *Store) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	const op = "find identities"
	found, pins := []identity.Identity{}, map[identity.Key]string{}
	err := s.view(ctx, op, func(tx *bbolt.Tx) error {
		for _, k := range keys {
			if userstore, pinned := pinOf(tx.Bucket(bucketKeys).Get([]byte(k))); pinned {
				pins[k] = userstore
				continue
			}
			i, err := holder(tx, k)
			if err != nil {
				return err
			}
			if i != nil {
				found = append(found, *i)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b identity.Identity) int { return strings.Compare(a.ID, b.ID) })
	found = slices.CompactFunc(found, func(a, b identity.Identity) bool { return a.ID == b.ID })
	if len(pins) > 0 {
		return found, explain(op, &store.ElsewhereError{Pins: pins})
	}
	return found, nil
}

// Get returns the identity with this id, or store.ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (identity.Identity, error) {
	var found identity.Identity
	err := s.view(ctx, "get identity", func(tx *bbolt.Tx) error {
		i, err := load(tx, []byte(id))
		if err != nil {
			return err
		}
		if i == nil {
			return store.ErrNotFound
		}
		found = *i
		return nil
	})
	if err != nil {
		return identity.Identity{}, err
	}
	return found, nil
}

// Insert writes a new identity and its record; see store.Store.
func (s *Store) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	const op = "insert identity"
	i = i.Clone() // the writer may outlast this call, see update
	doc, err := encodeIdentity(i)
	if err != nil {
		return explain(op, err)
	}
	record, err := encodeRecord(r)
	if err != nil {
		return explain(op, err)
	}
	return s.update(ctx, op, func(tx *bbolt.Tx) error {
		stored, err := load(tx, []byte(i.ID))
		if err != nil {
			return err
		}
		if stored != nil {
			if stored.Revision == i.Revision {
				return nil // our own earlier attempt, with its record
			}
			return store.ErrConflict
		}
		if err := taken(tx, i.ID, i.Keys); err != nil {
			return err
		}
		if err := put(tx, &identity.Identity{}, &i, doc); err != nil {
			return err
		}
		return putRecordIfAny(tx, r, record)
	})
}

// Swap replaces an identity and its keys; see store.Store.
func (s *Store) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	const op = "swap identity"
	i = i.Clone() // the writer may outlast this call, see update
	doc, err := encodeIdentity(i)
	if err != nil {
		return explain(op, err)
	}
	record, err := encodeRecord(r)
	if err != nil {
		return explain(op, err)
	}
	return s.update(ctx, op, func(tx *bbolt.Tx) error {
		stored, err := load(tx, []byte(i.ID))
		if err != nil {
			return err
		}
		if stored == nil || stored.Revision != i.Revision-1 || stored.OutboxVersion != i.OutboxVersion || seenLater(stored, i) {
			return store.ErrConflict
		}
		if err := taken(tx, i.ID, i.Keys); err != nil {
			return err
		}
		doc := doc
		if stored.LastLoginAt.After(i.LastLoginAt) {
			later := i // i stays as it is: this may run twice
			later.LastLoginAt = stored.LastLoginAt
			if doc, err = encodeIdentity(later); err != nil {
				return err
			}
		}
		if err := put(tx, stored, &i, doc); err != nil {
			return err
		}
		return putRecordIfAny(tx, r, record)
	})
}

// seenLater reports whether claims later than those of i were noted for one of
// its links since it was read.
func seenLater(stored *identity.Identity, i identity.Identity) bool {
	return slices.ContainsFunc(i.Links, func(l identity.Link) bool {
		at := stored.Link(l.Issuer, l.Subject)
		return at >= 0 && stored.Links[at].ClaimsTime.After(l.ClaimsTime)
	})
}

// Renew sets renewed_at of a pending identity; see store.Store.
func (s *Store) Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error {
	const op = "renew identity"
	record, err := encodeRecord(r)
	if err != nil {
		return explain(op, err)
	}
	return s.update(ctx, op, func(tx *bbolt.Tx) error {
		stored, err := load(tx, []byte(id))
		if err != nil {
			return err
		}
		if stored == nil || stored.Revision != revision || stored.State != identity.StatePending {
			return store.ErrConflict
		}
		stored.RenewedAt = at
		if err := rewrite(tx, stored); err != nil {
			return err
		}
		return putRecord(tx, r, record)
	})
}

// Delete removes an identity and its keys; see store.Store.
func (s *Store) Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error {
	const op = "delete identity"
	record, err := encodeRecord(r)
	if err != nil {
		return explain(op, err)
	}
	return s.update(ctx, op, func(tx *bbolt.Tx) error {
		stored, err := load(tx, []byte(id))
		if err != nil {
			return err
		}
		if stored == nil || stored.Revision != revision || !stored.RenewedAt.Equal(renewedAt) {
			return store.ErrConflict
		}
		if err := erase(tx, stored); err != nil {
			return err
		}
		return putRecordIfAny(tx, r, record)
	})
}

// erase removes an identity, its keys and its terms.
func erase(tx *bbolt.Tx, stored *identity.Identity) error {
	for _, k := range stored.Keys {
		if err := release(tx, k, stored.ID); err != nil {
			return err
		}
	}
	if err := reindexIdentity(tx, stored.ID, stored, &identity.Identity{}); err != nil {
		return err
	}
	return tx.Bucket(bucketIdentities).Delete([]byte(stored.ID))
}

// load returns the identity with this id, or nil.
func load(tx *bbolt.Tx, id []byte) (*identity.Identity, error) {
	doc := tx.Bucket(bucketIdentities).Get(id)
	if doc == nil {
		return nil, nil
	}
	i, err := decodeIdentity(id, doc)
	if err != nil {
		return nil, err
	}
	return &i, nil
}

// holder returns the identity that holds the key, or nil.
func holder(tx *bbolt.Tx, k identity.Key) (*identity.Identity, error) {
	id := tx.Bucket(bucketKeys).Get([]byte(k))
	if _, pinned := pinOf(id); id == nil || pinned {
		return nil, nil
	}
	i, err := load(tx, id)
	if err == nil && i == nil {
		// To answer "nobody" would have the person created a second time.
		return nil, errDangles
	}
	return i, err
}

// put writes the document of after and moves its keys and its terms from those
// of before, which is empty for a new identity.
func put(tx *bbolt.Tx, before, after *identity.Identity, doc []byte) error {
	keys := tx.Bucket(bucketKeys)
	for _, k := range before.Keys {
		if !slices.Contains(after.Keys, k) {
			if err := release(tx, k, after.ID); err != nil {
				return err
			}
		}
	}
	for _, k := range after.Keys {
		if !slices.Contains(before.Keys, k) {
			if err := keys.Put([]byte(k), []byte(after.ID)); err != nil {
				return err
			}
		}
	}
	if err := reindexIdentity(tx, after.ID, before, after); err != nil {
		return err
	}
	return tx.Bucket(bucketIdentities).Put([]byte(after.ID), doc)
}

// release removes the row of a key that the identity id lets go of. In a
// damaged file it may be a pin, or another's: then it stays.
func release(tx *bbolt.Tx, k identity.Key, id string) error {
	keys := tx.Bucket(bucketKeys)
	if string(keys.Get([]byte(k))) != id {
		return nil
	}
	return keys.Delete([]byte(k))
}

// reindexIdentity moves an identity from its old terms to its new ones; an
// empty one has none.
func reindexIdentity(tx *bbolt.Tx, id string, before, after *identity.Identity) error {
	if err := reindex(tx.Bucket(bucketDue), id, dueTerms(before), dueTerms(after)); err != nil {
		return err
	}
	return reindex(tx.Bucket(bucketIdentitiesBy), id, terms(before), terms(after))
}

// rewrite writes an identity of which neither keys nor terms have changed.
func rewrite(tx *bbolt.Tx, i *identity.Identity) error {
	doc, err := encodeIdentity(*i)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketIdentities).Put([]byte(i.ID), doc)
}

// taken returns a TakenError if another identity than id holds one of keys,
// an ElsewhereError if one is pinned.
func taken(tx *bbolt.Tx, id string, keys []identity.Key) error {
	held := tx.Bucket(bucketKeys)
	for _, k := range keys {
		by := held.Get([]byte(k))
		if userstore, pinned := pinOf(by); pinned {
			return &store.ElsewhereError{Pins: map[identity.Key]string{k: userstore}}
		}
		if by != nil && string(by) != id {
			return &store.TakenError{Key: k}
		}
	}
	return nil
}
