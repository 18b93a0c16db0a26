package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// List returns a page of identities in the order of their ids; see
// store.Store. An identity that is inserted or changed between two pages may
// show up or not; no other is missed.
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	var page store.Page
	err := s.call(ctx, "list identities", func(ctx context.Context, db *database) error {
		filter := selected(
			term{fieldUserstore, q.Userstore}, term{fieldState, string(q.State)}, term{fieldKeys, string(q.Key)}, term{fieldHaving, q.Having})
		p, err := newPaging(store.TokenIdentities, q.PageSize, q.PageToken)
		if err != nil {
			return err
		}
		docs, next, err := pageOf(ctx, db.identities, filter, p, identityOptions(), idOf)
		if err != nil {
			return err
		}
		page = store.Page{Identities: make([]identity.Identity, 0, len(docs)), NextPageToken: next}
		for _, raw := range docs {
			i, err := decodeRaw(raw)
			switch {
			case err == nil:
				page.Identities = append(page.Identities, i)
			case !q.Damaged:
				return err
			default:
				page.Damaged = append(page.Damaged, idOf(raw))
			}
		}
		return nil
	})
	if err != nil {
		return store.Page{}, err
	}
	return page, nil
}

// idOf returns the id of a document, which may be damaged.
func idOf(raw bson.Raw) string {
	id, _ := raw.Lookup(fieldID).StringValueOK()
	return id
}

// decodeRaw decodes an identity from what the server sent.
func decodeRaw(raw bson.Raw) (identity.Identity, error) {
	var doc identityDoc
	if bson.Unmarshal(raw, &doc) != nil {
		return identity.Identity{}, damaged("document", idOf(raw))
	}
	return decodeIdentity(doc)
}

// term selects the documents whose field has, or holds, the value.
type term struct{ field, value string }

// selected is the filter of all terms; an empty value does not select.
func selected(terms ...term) bson.D {
	filter := bson.D{}
	for _, t := range terms {
		if t.value != "" {
			filter = append(filter, bson.E{Key: t.field, Value: t.value})
		}
	}
	return filter
}

// paging is where a page begins and how long it gets.
type paging struct {
	kind     byte // of the token: store.TokenIdentities, upwards, or store.TokenDecisions, downwards
	position string
	size     int
}

func newPaging(kind byte, size int, token string) (paging, error) {
	position, err := store.ParsePageToken(kind, token)
	return paging{kind, position, store.PageSize(size)}, err
}

// pageOf returns a page of what filter selects, and the token of the next one.
func pageOf[T any](ctx context.Context, c *driver.Collection, filter bson.D, p paging, opts *options.FindOptionsBuilder, id func(T) string) ([]T, string, error) {
	direction, ids := 1, bson.D{{Key: "$gt", Value: p.position}, {Key: "$lt", Value: pinMark}}
	if p.kind == store.TokenDecisions {
		direction, ids = -1, bson.D{{Key: "$lt", Value: p.position}}
	}
	if p.position != "" || p.kind == store.TokenIdentities {
		filter = append(filter, bson.E{Key: fieldID, Value: ids})
	}
	// One more than asked for tells whether more follow.
	opts.SetSort(byIDs(direction)).SetLimit(int64(p.size) + 1).SetBatchSize(int32(p.size) + 1)
	docs, err := all[T](ctx, c, filter, opts)
	if err != nil || len(docs) <= p.size {
		return docs, "", err
	}
	docs = docs[:p.size]
	return docs, store.NewPageToken(p.kind, id(docs[p.size-1])), nil
}
