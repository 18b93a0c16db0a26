package mongo

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/store"
)

// List returns a page of identities in the order of their ids; see
// store.Store. An identity that is inserted or changed between two pages may
// show up or not; no other is missed.
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	var page store.Page
	err := s.call(ctx, "list identities", func(ctx context.Context, db *database) error {
		filter := selected(
			term{fieldUserstore, q.Userstore}, term{fieldState, string(q.State)}, term{fieldKeys, string(q.Key)})
		p, err := newPaging(kindIdentities, q.PageSize, q.PageToken)
		if err != nil {
			return err
		}
		docs, next, err := pageOf(ctx, db.identities, filter, p, identityOptions(), func(d identityDoc) string { return d.ID })
		if err != nil {
			return err
		}
		page.NextPageToken = next
		page.Identities, err = decodeAll(docs, decodeIdentity)
		return err
	})
	return page, err
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
	kind     byte // of the token: kindIdentities, kindDecisions
	position string
	size     int
}

// Kinds of page tokens.
const (
	kindIdentities = 'i' // by id, upwards
	kindDecisions  = 'd' // by id, downwards
)

func newPaging(kind byte, size int, token string) (paging, error) {
	position, err := parseToken(kind, token)
	return paging{kind, position, store.PageSize(size)}, err
}

// pageOf returns a page of what filter selects, and the token of the next one.
func pageOf[T any](ctx context.Context, c *driver.Collection, filter bson.D, p paging, opts *options.FindOptionsBuilder, id func(T) string) ([]T, string, error) {
	direction, beyond := 1, "$gt"
	if p.kind == kindDecisions {
		direction, beyond = -1, "$lt"
	}
	if p.position != "" {
		filter = append(filter, bson.E{Key: fieldID, Value: bson.D{{Key: beyond, Value: p.position}}})
	}
	// One more than asked for tells whether more follow.
	opts.SetSort(byIDs(direction)).SetLimit(int64(p.size) + 1).SetBatchSize(int32(p.size) + 1)
	docs, err := all[T](ctx, c, filter, opts)
	if err != nil || len(docs) <= p.size {
		return docs, "", err
	}
	docs = docs[:p.size]
	return docs, newToken(p.kind, id(docs[p.size-1])), nil
}

// newToken returns a page token: the id where the page ended. The checksum
// tells a token that we made from a typing error; it is no proof, and whoever
// forges one sees what he may see anyway.
func newToken(kind byte, id string) string {
	body := append([]byte{kind}, id...)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE(body)))
}

// parseToken returns the id in a token; no token is the beginning.
func parseToken(kind byte, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 6 || raw[0] != kind {
		return "", store.ErrPageToken
	}
	body, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return "", store.ErrPageToken
	}
	return string(body[1:]), nil
}
