package hook

import (
	"context"
	"net"
	"sync"
	"time"
)

// A server whose processors have too much to do has few requests under way: all
// others wait unread in the kernel, where nothing counts them. How long one did is
// what there is to go by.
const (
	// briefly is a wait such as there is on a server that keeps up.
	briefly = 10 * time.Millisecond
	// MaxWait is how long a request may have waited before it was read, once a
	// queue stands: one of which so many in a row, read for so long and never with so
	// long between them, waited more than briefly. A burst, or a machine that stood
	// still, is no such queue.
	MaxWait    = 100 * time.Millisecond
	queueFor   = 500 * time.Millisecond
	queueInRow = 64
)

// queue is what requests waited of late.
type queue struct {
	mu    sync.Mutex
	row   int       // of requests that waited more than briefly
	since time.Time // when the first of them was read
	last  time.Time // and the last
}

// tooLong notes a request, read now, and reports whether it is one too many.
func (q *queue) tooLong(waited time.Duration, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if waited <= briefly {
		q.row = 0
		return false
	}
	if q.row == 0 || now.Sub(q.last) > queueFor {
		q.row, q.since = 0, now
	}
	q.row, q.last = q.row+1, now
	return waited > MaxWait && q.row > queueInRow && now.Sub(q.since) > queueFor
}

type connKey struct{}

// WithConn is an http.Server's ConnContext. Without it no request is told that it
// waited too long.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// waited is how long the request of this context had been there when it was read.
func waited(ctx context.Context) time.Duration {
	c, _ := ctx.Value(connKey{}).(*net.TCPConn)
	if c == nil {
		return 0
	}
	return sinceData(c)
}
