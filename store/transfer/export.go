package transfer

import (
	"context"
	"fmt"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Source is what an export reads of a store.
type Source interface {
	List(ctx context.Context, q store.Query) (store.Page, error)
	Decisions(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error)
}

// Position is where an export goes on; the zero value is the beginning.
type Position struct {
	// Identity is the id of the last identity that there is already.
	Identity string
	// Decision is the id of the last record that there is already; all
	// identities are there then.
	Decision string
}

const (
	// pageSize is how many documents an export holds in memory.
	pageSize = 50
	// pageTime bounds the reading of one page; an export as a whole takes as
	// long as whoever reads it.
	pageTime = 10 * time.Second
)

// Export emits the lines of a store behind a position: a header, what follows,
// and an end that counts what this call has emitted. What changes meanwhile is
// there as it was before or after; each identity by itself is whole.
func Export(ctx context.Context, from Source, at Position, emit func(line []byte) error) error {
	write := func(l Line) error {
		text, err := Encode(l)
		if err != nil {
			return err
		}
		return emit(text)
	}
	var n Counts
	if err := write(Header()); err != nil {
		return err
	}
	if at.Decision == "" {
		token := ""
		if at.Identity != "" {
			token = store.NewPageToken(store.TokenIdentities, at.Identity)
		}
		err := pages(ctx, token, func(ctx context.Context, token string) ([]identity.Identity, string, error) {
			p, err := from.List(ctx, store.Query{PageSize: pageSize, PageToken: token})
			return p.Identities, p.NextPageToken, err
		}, func(i *identity.Identity) error { n.Identities++; return write(Line{Identity: i}) })
		if err != nil {
			return fmt.Errorf("export identities: %w", err)
		}
	}
	token := ""
	if at.Decision != "" {
		token = store.NewPageToken(store.TokenDecisions, at.Decision)
	}
	err := pages(ctx, token, func(ctx context.Context, token string) ([]identity.Record, string, error) {
		p, err := from.Decisions(ctx, store.DecisionQuery{PageSize: pageSize, PageToken: token})
		return p.Records, p.NextPageToken, err
	}, func(r *identity.Record) error { n.Decisions++; return write(Line{Decision: r}) })
	if err != nil {
		return fmt.Errorf("export decisions: %w", err)
	}
	return write(Line{End: &n})
}

// pages calls each with every item of every page behind token.
func pages[T any](ctx context.Context, token string, page func(context.Context, string) ([]T, string, error), each func(*T) error) error {
	for {
		items, next, err := onePage(ctx, token, page)
		if err != nil {
			return err
		}
		for n := range items {
			if err := each(&items[n]); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		token = next
	}
}

func onePage[T any](ctx context.Context, token string, page func(context.Context, string) ([]T, string, error)) ([]T, string, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	return page(ctx, token)
}
