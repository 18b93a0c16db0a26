package claims

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// Ticket stands for something that proves a sign-in once, such as an ID token:
// whoever gets hold of it must not be able to use it in a flow of theirs.
type Ticket struct {
	// ID is a digest of what the ticket stands for.
	ID [sha256.Size]byte
	// Until is when it stops being good by itself.
	Until time.Time
}

// ErrSpent says that a ticket was used in another flow before.
var ErrSpent = errors.New("used in another flow before")

// ErrTicketsFull says that no further ticket can be remembered. Forgetting
// another one for it would open the door that it closed.
var ErrTicketsFull = errors.New("too many tickets are remembered")

// MaxTickets bounds how many tickets are remembered at a time: some 150 MB, and
// at a life of ten minutes 1,700 logins a second.
const MaxTickets = 1 << 20

const (
	// ticketsForgotten is how many tickets each new one looks at, to forget them if
	// they have run out: the table stays near what is good, and nobody waits.
	ticketsForgotten = 8
	// ticketGrace is how long a ticket is remembered after it has run out: a login that is
	// under way looked at the clock before, and none takes so long.
	ticketGrace = 10 * time.Second
	// ticketSweep is how often all are looked at, where the table is full.
	ticketSweep = time.Minute
)

// Tickets remembers in which flow each ticket was first used, until it runs out.
// It remembers in memory: a second server, or this one after a restart, knows
// nothing of it, and there a ticket may be used in one flow more while it is
// good. The zero value is ready; its methods are safe for concurrent use.
type Tickets struct {
	mu    sync.Mutex
	spent map[[sha256.Size]byte]spending
	all   [][sha256.Size]byte // of spent, for forget
	next  int                 // of all, at which forget looks next
	sweep time.Time
}

type spending struct {
	flow  [sha256.Size]byte
	until int64 // Unix time in seconds, rounded up, with grace
}

// Spend ties the ticket to the flow, or confirms that it is tied to it already.
// Errors: ErrSpent, ErrTicketsFull.
func (t *Tickets) Spend(ticket Ticket, flow string, now time.Time) error {
	digest := sha256.Sum256([]byte(flow))
	t.mu.Lock()
	defer t.mu.Unlock()
	if first, ok := t.spent[ticket.ID]; ok {
		if first.flow != digest {
			return ErrSpent
		}
		return nil
	}
	if t.forget(now, ticketsForgotten); len(t.spent) >= MaxTickets && !now.Before(t.sweep) {
		t.forget(now, len(t.all))
		t.sweep = now.Add(ticketSweep)
	}
	if len(t.spent) >= MaxTickets {
		return ErrTicketsFull
	}
	if t.spent == nil {
		t.spent = map[[sha256.Size]byte]spending{}
	}
	t.spent[ticket.ID] = spending{digest, ticket.Until.Add(ticketGrace).Unix() + 1}
	t.all = append(t.all, ticket.ID)
	return nil
}

// forget looks at some of the tickets, round and round, and forgets those that have
// run out.
func (t *Tickets) forget(now time.Time, some int) {
	for range min(some, len(t.all)) {
		if t.next >= len(t.all) {
			t.next = 0
		}
		id, last := t.all[t.next], len(t.all)-1
		if t.spent[id].until >= now.Unix() {
			t.next++
			continue
		}
		delete(t.spent, id)
		t.all[t.next], t.all = t.all[last], t.all[:last]
	}
}
