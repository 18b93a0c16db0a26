package claims_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/claims"
)

func ticket(name string, until time.Time) claims.Ticket {
	return claims.Ticket{ID: sha256.Sum256([]byte(name)), Until: until}
}

// TestTicketIsGoodForOneFlow, for as long as it is good at all.
func TestTicketIsGoodForOneFlow(t *testing.T) {
	var spent claims.Tickets
	until := noon.Add(10 * time.Minute)
	for _, step := range []struct {
		ticket, flow string
		at           time.Duration
		want         error
	}{
		{"a", "f-1", 0, nil},
		{"a", "f-1", time.Second, nil},
		{"a", "f-2", time.Second, claims.ErrSpent},
		{"b", "f-2", time.Second, nil},
		{"a", "f-2", 9 * time.Minute, claims.ErrSpent},
		{"a", "f-2", 10 * time.Minute, claims.ErrSpent},
		{"a", "f-1", 10 * time.Minute, nil},
	} {
		if err := spent.Spend(ticket(step.ticket, until), step.flow, noon.Add(step.at)); !errors.Is(err, step.want) {
			t.Errorf("%+v: %v", step, err)
		}
	}
}

// TestTicketOfALoginUnderWay: a login that looked at the clock when the ticket was good
// finds it used, although another login has seen it run out since.
func TestTicketOfALoginUnderWay(t *testing.T) {
	var spent claims.Tickets
	until := noon.Add(10*time.Minute + 500*time.Millisecond)
	spend := func(name, flow string, at time.Time) error { return spent.Spend(ticket(name, until), flow, at) }
	if err := spend("a", "f-1", noon); err != nil {
		t.Fatal(err)
	}
	if err := spend("b", "f-3", until.Add(5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := spend("a", "f-2", until.Add(-time.Millisecond)); !errors.Is(err, claims.ErrSpent) {
		t.Errorf("in another flow: %v", err)
	}
}

// TestTicketInManyFlowsAtOnce: one of them wins.
func TestTicketInManyFlowsAtOnce(t *testing.T) {
	var spent claims.Tickets
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if spent.Spend(ticket("a", noon.Add(time.Minute)), strconv.Itoa(i), noon) == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("good for %d flows", won.Load())
	}
}

// TestTicketsAreBounded: a full memory refuses new tickets, forgets none that is
// still good, and has room again once some have run out.
func TestTicketsAreBounded(t *testing.T) {
	var spent claims.Tickets
	first := claims.Ticket{Until: noon.Add(time.Minute)}
	for i := range claims.MaxTickets {
		next := first
		binary.BigEndian.PutUint32(next.ID[:], uint32(i))
		if err := spent.Spend(next, "f-1", noon); err != nil {
			t.Fatal(i, err)
		}
	}
	late := ticket("late", noon.Add(10*time.Minute))
	if err := spent.Spend(late, "f-1", noon.Add(time.Minute)); !errors.Is(err, claims.ErrTicketsFull) {
		t.Errorf("one too many: %v", err)
	}
	if err := spent.Spend(first, "f-2", noon.Add(time.Minute)); !errors.Is(err, claims.ErrSpent) {
		t.Errorf("the first: %v", err)
	}
	if err := spent.Spend(late, "f-1", noon.Add(2*time.Minute+time.Second)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestTicketsAreForgottenByTheWay: a login forgets a few of the tickets that have run
// out, and does not wait for all of them to be looked at. How many, the room tells
// that there is then by a clock at which all are good.
func TestTicketsAreForgottenByTheWay(t *testing.T) {
	var spent claims.Tickets
	spend := func(n int, at time.Time) error {
		next := claims.Ticket{Until: noon.Add(time.Minute)}
		binary.BigEndian.PutUint32(next.ID[:], uint32(n))
		return spent.Spend(next, "f-1", at)
	}
	for n := range claims.MaxTickets - 1 {
		if err := spend(n, noon); err != nil {
			t.Fatal(n, err)
		}
	}
	if err := spend(claims.MaxTickets, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	room := 0
	for ; room < 100; room++ {
		if errors.Is(spend(claims.MaxTickets+1+room, noon), claims.ErrTicketsFull) {
			break
		}
	}
	if room == 0 || room == 100 {
		t.Errorf("room for %d after one login, want a few", room)
	}
}
