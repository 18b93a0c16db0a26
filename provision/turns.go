package provision

import (
	"context"
	"sync"

	"github.com/jithook/jithook/identity"
)

// turns has the logins of one subject that were overtaken by others go on one
// at a time: of many at once each then meets the newest state, and none is sent
// away for having been overtaken too often. It saves work and no more: other
// servers do not share it, and the store's compare-and-swap is what decides.
//
// The zero value is ready. It is safe for concurrent use.
type turns struct {
	mu     sync.Mutex
	queues map[identity.Key]*queue
}

// queue is those of one subject, whose turn it is among them.
type queue struct {
	turn    chan struct{} // holds a value while it is somebody's turn
	members int
}

// take waits until it is the caller's turn, which ends with done. It gives up
// when ctx ends, without a turn. Without a subject nobody waits.
func (t *turns) take(ctx context.Context, subject identity.Key) (done func(), err error) {
	if subject == "" {
		return func() {}, nil
	}
	q := t.join(subject)
	select {
	case q.turn <- struct{}{}:
		return func() { <-q.turn; t.leave(subject, q) }, nil
	case <-ctx.Done():
		t.leave(subject, q)
		return func() {}, ctx.Err()
	}
}

func (t *turns) join(subject identity.Key) *queue {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queues[subject]
	if q == nil {
		if t.queues == nil {
			t.queues = map[identity.Key]*queue{}
		}
		q = &queue{turn: make(chan struct{}, 1)}
		t.queues[subject] = q
	}
	q.members++
	return q
}

func (t *turns) leave(subject identity.Key, q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.members--; q.members == 0 {
		delete(t.queues, subject)
	}
}
