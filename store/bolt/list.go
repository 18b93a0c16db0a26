package bolt

import (
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// List returns a page of identities in the order of their ids; see
// store.Store. An identity that is inserted or changed between two pages may
// show up or not; no other is missed.
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	var page store.Page
	err := s.view(ctx, "list identities", func(tx *bbolt.Tx) error {
		p, err := newPaging(store.TokenIdentities, q.PageSize, q.PageToken)
		if err != nil {
			return err
		}
		if q.Key != "" {
			page.Identities, err = held(tx, q)
			return err
		}
		page.Identities, page.NextPageToken, err = collect(ctx, identitiesOf(tx, q), p, func(id []byte) (identity.Identity, bool, error) {
			i, err := load(tx, id)
			switch {
			case err != nil && q.Damaged:
				page.Damaged = append(page.Damaged, string(id))
				return identity.Identity{}, false, nil
			case err != nil:
				return identity.Identity{}, false, err
			case i == nil:
				return identity.Identity{}, false, errDangles
			}
			return *i, matches(q, i), nil
		})
		return err
	})
	if err != nil {
		return store.Page{}, err
	}
	return page, nil
}

// held is the whole list of q, which names a key: one identity or none.
func held(tx *bbolt.Tx, q store.Query) ([]identity.Identity, error) {
	i, err := holder(tx, q.Key)
	if err != nil || i == nil || !matches(q, i) {
		return []identity.Identity{}, err
	}
	return []identity.Identity{*i}, nil
}

// terms returns what the index knows of an identity; of an empty one nothing.
func terms(i *identity.Identity) [][]byte {
	if i.ID == "" {
		return nil
	}
	out := [][]byte{
		term("state", string(i.State)),
		term("userstore", i.Userstore),
		term("userstore,state", i.Userstore, string(i.State)),
	}
	for _, h := range i.Having() {
		out = append(out, term("having", h))
	}
	return out
}

// identitiesOf returns the shortest walk that meets every identity of q.
func identitiesOf(tx *bbolt.Tx, q store.Query) *walk {
	w := &walk{}
	switch {
	case q.Having != "":
		w.prefix = term("having", q.Having)
	case q.Userstore != "" && q.State != "":
		w.prefix = term("userstore,state", q.Userstore, string(q.State))
	case q.Userstore != "":
		w.prefix = term("userstore", q.Userstore)
	case q.State != "":
		w.prefix = term("state", string(q.State))
	default:
		w.cursor = tx.Bucket(bucketIdentities).Cursor()
		return w
	}
	w.cursor = tx.Bucket(bucketIdentitiesBy).Cursor()
	return w
}

func matches(q store.Query, i *identity.Identity) bool {
	return (q.Userstore == "" || q.Userstore == i.Userstore) &&
		(q.State == "" || q.State == i.State) &&
		(q.Having == "" || slices.Contains(i.Having(), q.Having)) &&
		(q.Key == "" || slices.Contains(i.Keys, q.Key))
}
