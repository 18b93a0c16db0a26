package outbound

import "time"

// Failing returns what the target failed at last, since it last answered, and until
// when it is left alone; nothing of one that has not failed. Other processes may
// have seen something else.
func (w *Worker) Failing(target string) (failure string, until time.Time) {
	q, ok := w.all()[target]
	if !ok {
		return "", time.Time{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failures == 0 {
		return "", time.Time{}
	}
	if until = q.until; !until.After(q.Now()) {
		until = time.Time{}
	}
	return q.failure, until
}
