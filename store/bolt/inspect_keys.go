package bolt

import (
	"bytes"
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// suspect is a key whose row in the bucket of keys is not as the documents say:
// either the row does not name the identity listedBy, which lists the key; or,
// where listedBy is empty, the identity that the row names does not claim it.
type suspect struct {
	key      identity.Key
	row      []byte // the id in the row; nil if there is none
	listedBy string
}

// claims reports whether the key is the identity's: it lists it, or one of its
// links or external ids is what the key stands for.
func claims(i *identity.Identity, k identity.Key) bool {
	return slices.Contains(i.Keys, k) ||
		slices.ContainsFunc(i.Links, func(l identity.Link) bool { return identity.FedKey(l.Issuer, l.Subject) == k }) ||
		slices.ContainsFunc(i.ExternalIDs, func(e identity.ExternalID) bool { return identity.ExtKey(e) == k })
}

// resolve turns the suspects into defects. A row is changed only where exactly
// one identity of the whole file claims the key: nobody gets what two claim.
func (in *inspection) resolve(ctx context.Context) error {
	if len(in.suspects) == 0 {
		return nil
	}
	claimants, err := in.claimants(ctx)
	if err != nil {
		return err
	}
	for _, s := range in.suspects {
		if s.listedBy != "" {
			in.unfound(s, claimants[s.key])
		} else {
			in.unclaimed(s, claimants[s.key])
		}
	}
	return nil
}

// claimants returns who claims the suspects' keys, from all documents. It costs
// a walk through them, which a sound file never needs.
func (in *inspection) claimants(ctx context.Context) (map[identity.Key][]string, error) {
	wanted, out := map[identity.Key]bool{}, map[identity.Key][]string{}
	for _, s := range in.suspects {
		wanted[s.key] = true
	}
	cursor := in.tx.Bucket(bucketIdentities).Cursor()
	for id, doc := cursor.First(); id != nil; id, doc = cursor.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i, err := decodeIdentity(id, doc)
		if err != nil {
			continue
		}
		held := slices.Clone(i.Keys)
		for _, l := range i.Links {
			held = append(held, identity.FedKey(l.Issuer, l.Subject))
		}
		for _, e := range i.ExternalIDs {
			held = append(held, identity.ExtKey(e))
		}
		for _, k := range held {
			if wanted[k] && !slices.Contains(out[k], i.ID) {
				out[k] = append(out[k], i.ID)
			}
		}
	}
	return out, nil
}

// unfound is about an identity whose key does not lead to it.
func (in *inspection) unfound(s suspect, claimants []string) {
	if _, pinned := pinOf(s.row); pinned {
		in.found(store.Finding{Code: store.FindingElsewhere, IdentityID: s.listedBy,
			Text: "its " + s.key.Kind() + " key is pinned to another userstore: which of the two is right, people must decide"}, nil)
		return
	}
	if len(claimants) > 1 {
		others := slices.DeleteFunc(slices.Clone(claimants), func(id string) bool { return id == s.listedBy })
		in.found(store.Finding{Code: store.FindingKeyTaken, IdentityID: s.listedBy,
			Text: "its " + s.key.Kind() + " key is claimed by the identity " + others[0] + " as well: whose it is, people must decide"}, nil)
		return
	}
	in.found(store.Finding{Code: store.FindingKeyIndex, IdentityID: s.listedBy,
		Text: "a look-up of its " + s.key.Kind() + " key does not find it"}, repoint(s, s.listedBy))
}

// unclaimed is about a row that names an identity which does not claim the key.
func (in *inspection) unclaimed(s suspect, claimants []string) {
	kind, named := s.key.Kind(), string(s.row)
	switch len(claimants) {
	case 0:
		if in.tx.Bucket(bucketIdentities).Get(s.row) == nil {
			in.found(store.Finding{Code: store.FindingIdentityLost, IdentityID: named,
				Text: "a " + kind + " key names it and it is not there, so that its logins fail: restore a backup " +
					"(without one, export and import into an empty store, where the person counts as new, even one who was suspended)"}, nil)
			return
		}
		in.found(store.Finding{Code: store.FindingKeyIndex, IdentityID: named,
			Text: "a look-up of a " + kind + " key finds it and it has no such key"}, unpoint(s))
	case 1:
		if i, err := load(in.tx, []byte(claimants[0])); err == nil && i != nil && !slices.Contains(i.Keys, s.key) {
			in.found(store.Finding{Code: store.FindingKeyIndex, IdentityID: i.ID,
				Text: "a look-up of its " + kind + " key finds another identity, which has no such key"}, repoint(s, i.ID))
		} // else it is reported with the identity that lists the key
	}
}

// repoint makes the row of a key name the identity id, if the row is still the
// one that was seen and still wrong, and the identity still claims the key.
// Nobody can have become a second claimant meanwhile: to take a key is to write
// its row.
func repoint(s suspect, id string) func(*bbolt.Tx) (bool, error) {
	return func(tx *bbolt.Tx) (bool, error) {
		if !unchanged(tx, s) {
			return false, nil
		}
		i, err := load(tx, []byte(id))
		if err != nil || i == nil || !claims(i, s.key) {
			return false, nil
		}
		return true, tx.Bucket(bucketKeys).Put([]byte(s.key), []byte(id))
	}
}

// unpoint removes the row of a key, if it is still the one that was seen, and
// the identity that it names is there and does not claim the key.
func unpoint(s suspect) func(*bbolt.Tx) (bool, error) {
	return func(tx *bbolt.Tx) (bool, error) {
		if !unchanged(tx, s) || tx.Bucket(bucketIdentities).Get(s.row) == nil {
			return false, nil
		}
		return true, tx.Bucket(bucketKeys).Delete([]byte(s.key))
	}
}

// unchanged reports whether the row of a key is as it was seen, and names
// nobody who claims the key or whose document cannot be read.
func unchanged(tx *bbolt.Tx, s suspect) bool {
	if !bytes.Equal(tx.Bucket(bucketKeys).Get([]byte(s.key)), s.row) {
		return false
	}
	if s.row == nil {
		return true
	}
	i, err := load(tx, s.row)
	return err == nil && (i == nil || !claims(i, s.key))
}
