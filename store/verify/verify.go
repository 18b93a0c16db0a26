// Package verify finds what is not as it should be in a userstore of any
// backend, and mends what follows from the rest: the keys of identities from
// their links and external ids, and with the backend's help its own indexes
// from the documents. Nothing is ever given to one of two who claim it.
//
// It must not know how a backend stores anything, nor why something was
// written. No finding holds a key, a subject or a trait value.
package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Store is what checking identities needs.
type Store interface {
	Get(ctx context.Context, id string) (identity.Identity, error)
	Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error)
	List(ctx context.Context, q store.Query) (store.Page, error)
	Swap(ctx context.Context, i identity.Identity, r identity.Record) error
}

// Checker checks one store. It is safe while others read and write.
type Checker struct {
	Store Store
	// Inspector, if not nil, is the same store's: it compares the backend's
	// indexes with the documents. Without one, every key is looked up.
	Inspector store.Inspector
	// Counter, if not nil, is the same store's.
	Counter store.Counter
	Now     func() time.Time

	// also, if not nil, looks at the same identities.
	also func(ctx context.Context, page []identity.Identity, mend bool) ([]store.Finding, error)
}

// A page token of ours names what is paged, and has the store's own token.
const (
	ofBackend    = "b."
	ofIdentities = "i."
)

// pageSize is how many identities are checked at once.
const pageSize = 200

// Page checks a part of the store, beginning where the part with this
// NextPageToken ended, and with mend puts right what may be. Errors:
// store.ErrPageToken; of the store.
func (c Checker) Page(ctx context.Context, pageToken string, mend bool) (store.Inspection, error) {
	if pageToken == "" {
		pageToken = ofIdentities
		if c.Inspector != nil {
			pageToken = ofBackend
		}
	}
	if token, ok := strings.CutPrefix(pageToken, ofBackend); ok && c.Inspector != nil {
		return c.backend(ctx, token, mend)
	}
	token, ok := strings.CutPrefix(pageToken, ofIdentities)
	if !ok {
		return store.Inspection{}, store.ErrPageToken
	}
	out, err := c.identities(ctx, token, mend)
	if err == nil && token == "" && c.Inspector == nil {
		out.Total, err = c.count(ctx)
	}
	return out, err
}

func (c Checker) backend(ctx context.Context, token string, mend bool) (store.Inspection, error) {
	out, err := c.Inspector.Inspect(ctx, token, mend)
	if err != nil {
		return store.Inspection{}, err
	}
	if token == "" {
		n, err := c.count(ctx)
		if err != nil {
			return store.Inspection{}, err
		}
		out.Total += n
	}
	if out.NextPageToken == "" {
		out.NextPageToken = ofIdentities
	} else {
		out.NextPageToken = ofBackend + out.NextPageToken
	}
	return out, nil
}

// count is the number of identities, or 0 where nobody knows it.
func (c Checker) count(ctx context.Context) (int64, error) {
	if c.Counter == nil {
		return 0, nil
	}
	n, err := c.Counter.Count(ctx)
	return n.Identities, err
}

func (c Checker) identities(ctx context.Context, token string, mend bool) (store.Inspection, error) {
	page, err := c.Store.List(ctx, store.Query{PageSize: pageSize, PageToken: token, Damaged: true})
	if err != nil {
		return store.Inspection{}, err
	}
	out := store.Inspection{Findings: []store.Finding{}, Checked: int64(len(page.Identities) + len(page.Damaged))}
	if page.NextPageToken != "" {
		out.NextPageToken = ofIdentities + page.NextPageToken
	}
	if c.Inspector == nil { // which names who is damaged
		for _, id := range page.Damaged {
			out.Findings = append(out.Findings, store.Finding{Code: store.FindingDamaged, IdentityID: id,
				Text: "the identity cannot be read, and its logins fail: restore a backup"})
		}
		found, err := c.lookUps(ctx, page.Identities)
		if err != nil {
			return store.Inspection{}, err
		}
		out.Findings = append(out.Findings, found...)
	}
	for n := range page.Identities {
		found, err := c.identity(ctx, page.Identities[n], mend)
		if err != nil {
			return store.Inspection{}, err
		}
		out.Findings = append(out.Findings, found...)
	}
	if c.also != nil {
		found, err := c.also(ctx, page.Identities, mend)
		if err != nil {
			return store.Inspection{}, err
		}
		out.Findings = append(out.Findings, found...)
	}
	return out, nil
}

// lookUps checks that every key leads to the identity that lists it, and to no
// other.
func (c Checker) lookUps(ctx context.Context, page []identity.Identity) ([]store.Finding, error) {
	var keys []identity.Key
	for _, i := range page {
		keys = append(keys, i.Keys...)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	holders, err := c.holders(ctx, keys)
	if err != nil {
		return nil, err
	}
	var out []store.Finding
	for _, i := range page {
		for _, k := range i.Keys {
			others := without(holders[k], i.ID)
			if len(others) == 0 && len(holders[k]) > 0 || !c.still(ctx, i) {
				continue
			}
			if len(others) > 0 {
				out = append(out, taken(i.ID, "its "+k.Kind()+" key", others[0]))
				continue
			}
			out = append(out, store.Finding{Code: store.FindingKeyIndex, IdentityID: i.ID,
				Text: "a look-up of its " + k.Kind() + " key does not find it: the database's index is damaged, rebuild it"})
		}
	}
	return out, nil
}

// still reports whether an identity is as it was listed: keys that it let go of
// since are not wrong.
func (c Checker) still(ctx context.Context, i identity.Identity) bool {
	now, err := c.Store.Get(ctx, i.ID)
	return err == nil && now.Revision == i.Revision
}

// holders returns the ids that hold each of the keys.
func (c Checker) holders(ctx context.Context, keys []identity.Key) (map[identity.Key][]string, error) {
	found, err := c.Store.Find(ctx, keys...)
	var elsewhere *store.ElsewhereError // which is for Installation to judge
	if err != nil && !errors.As(err, &elsewhere) {
		return nil, err
	}
	out := map[identity.Key][]string{}
	for _, i := range found {
		for _, k := range i.Keys {
			out[k] = append(out[k], i.ID)
		}
	}
	return out, nil
}

func without(ids []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })
}

func taken(id, what, by string) store.Finding {
	return store.Finding{Code: store.FindingKeyTaken, IdentityID: id,
		Text: fmt.Sprintf("%s is held by the identity %s: whose it is, people must decide", what, by)}
}
