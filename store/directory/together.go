package directory

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/jithook/jithook/store"
)

// each calls f for every store, side by side, and returns all errors.
func (d *Directory) each(f func(n int, s store.Store) error) error {
	failed := make([]error, len(d.places))
	var all sync.WaitGroup
	for n, p := range d.places {
		all.Go(func() { failed[n] = p.explain(f(n, p.Store)) })
	}
	all.Wait()
	return joined(failed)
}

// joined is errors.Join without its line breaks where one error is all.
func joined(failed []error) error {
	var real []error
	for _, err := range failed {
		if err != nil {
			real = append(real, err)
		}
	}
	if len(real) == 1 {
		return real[0]
	}
	return errors.Join(real...)
}

// answer is what one store said.
type answer[T any] struct {
	place int
	value T
	err   error
}

// ask asks the stores side by side and hands on their answers as they come,
// until take has enough; nobody waits for the others then, and they are left to
// answer: to break a question off costs a driver its connection, and who watches a
// store takes it for a failure. One store alone is asked here and now.
func ask[T any](ctx context.Context, places []Place, which []int, question func(context.Context, store.Store) (T, error), take func(answer[T]) (enough bool)) {
	switch len(which) {
	case 0:
		return
	case 1:
		n := which[0]
		value, err := question(ctx, places[n].Store)
		take(answer[T]{n, value, places[n].explain(err)})
		return
	}
	own, cancel := apart(ctx)
	if ctx.Err() != nil {
		cancel()
	}
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) { // nobody wants an answer any more
			cancel()
		}
	})()
	var left atomic.Int64
	left.Store(int64(len(which)))
	answers := make(chan answer[T], len(which)) // none waits for a reader who has enough
	for _, n := range which {
		go func() {
			value, err := question(own, places[n].Store)
			answers <- answer[T]{n, value, places[n].explain(err)}
			if left.Add(-1) == 0 {
				cancel()
			}
		}()
	}
	for range which {
		if take(<-answers) {
			return
		}
	}
}

// apart is a context that ends when ctx runs out of time, and not when it is
// cancelled.
func apart(ctx context.Context) (context.Context, context.CancelFunc) {
	own := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(own, deadline)
	}
	return context.WithCancel(own)
}

// anywhere returns the answer of the store that has one, and which it is. Only
// when all stores say so is it store.ErrNotFound.
func anywhere[T any](ctx context.Context, places []Place, question func(context.Context, store.Store) (T, error)) (T, int, error) {
	var found *answer[T]
	var missed error
	var failed []error
	all := make([]int, len(places))
	for n := range places {
		all[n] = n
	}
	ask(ctx, places, all, question, func(a answer[T]) bool {
		switch {
		case a.err == nil:
			found = &a
		case errors.Is(a.err, store.ErrNotFound):
			missed = a.err
		default:
			failed = append(failed, a.err)
		}
		return found != nil
	})
	var none T
	switch {
	case found != nil:
		return found.value, found.place, nil
	case len(failed) > 0:
		return none, 0, joined(failed)
	}
	return none, 0, missed
}
