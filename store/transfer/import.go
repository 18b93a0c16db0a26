package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Target is what an import needs of a store.
type Target interface {
	Get(ctx context.Context, id string) (identity.Identity, error)
	Insert(ctx context.Context, i identity.Identity, r identity.Record) error
	Decision(ctx context.Context, id string) (identity.Record, error)
	Record(ctx context.Context, records []identity.Record, touched []store.Touch) error
}

// Outcome is what became of a line.
type Outcome string

// The closed list of outcomes.
const (
	// Imported: the store has it now and had it not.
	Imported Outcome = "imported"
	// Same: the store had it already, exactly so.
	Same Outcome = "same"
	// Different: the store has another one under this id. It stays.
	Different Outcome = "different"
	// Taken: another identity of the store holds one of its keys. It stays.
	Taken Outcome = "taken"
	// Elsewhere: one of its subjects is pinned to another userstore.
	Elsewhere Outcome = "elsewhere"
)

// Refused reports whether the store is not as the line says.
func (o Outcome) Refused() bool { return o == Different || o == Taken || o == Elsewhere }

// workers is how many identities are written at once: so they share commits,
// and no server is crowded.
const workers = 8

// Import brings lines into a store: what is not there yet is written as it is,
// what is there stays as it is. It never replaces anything, so it may be
// repeated after a failure. It returns the outcome of each line. Errors: of the
// store; some lines may be written then.
func Import(ctx context.Context, into Target, lines []Line) ([]Outcome, error) {
	outcomes, errs := make([]Outcome, len(lines)), make([]error, len(lines))
	var all sync.WaitGroup
	room := make(chan struct{}, workers)
	for n, l := range lines {
		if l.Identity == nil {
			continue
		}
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			outcomes[n], errs[n] = importIdentity(ctx, into, *l.Identity)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("import identities: %w", err)
	}
	if err := importDecisions(ctx, into, lines, outcomes); err != nil {
		return nil, fmt.Errorf("import decisions: %w", err)
	}
	return outcomes, nil
}

func importIdentity(ctx context.Context, into Target, i identity.Identity) (Outcome, error) {
	stored, err := into.Get(ctx, i.ID)
	if err == nil {
		return compare(Line{Identity: &i}, Line{Identity: &stored})
	}
	if !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	err = into.Insert(ctx, i, identity.Record{})
	var taken *store.TakenError
	var elsewhere *store.ElsewhereError
	switch {
	case errors.As(err, &taken):
		return Taken, nil
	case errors.As(err, &elsewhere):
		return Elsewhere, nil
	case errors.Is(err, store.ErrConflict):
		return Different, nil
	case err != nil:
		return "", err
	}
	// Insert counts an identity with this id and revision as our own earlier
	// attempt. It may be another import's.
	if stored, err = into.Get(ctx, i.ID); err != nil {
		return "", err
	}
	if o, err := compare(Line{Identity: &i}, Line{Identity: &stored}); err != nil || o == Different {
		return o, err
	}
	return Imported, nil
}

func importDecisions(ctx context.Context, into Target, lines []Line, outcomes []Outcome) error {
	var fresh []identity.Record
	for n, l := range lines {
		if l.Decision == nil {
			continue
		}
		stored, err := into.Decision(ctx, l.Decision.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			fresh = append(fresh, *l.Decision)
			outcomes[n] = Imported
		case err != nil:
			return err
		default:
			if outcomes[n], err = compare(l, Line{Decision: &stored}); err != nil {
				return err
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return into.Record(ctx, fresh, nil)
}

func compare(given, stored Line) (Outcome, error) {
	a, err := Encode(given)
	if err != nil {
		return "", err
	}
	b, err := Encode(stored)
	if err != nil {
		return "", err
	}
	if bytes.Equal(a, b) {
		return Same, nil
	}
	return Different, nil
}
