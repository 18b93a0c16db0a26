package outbound

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// lookEvery is how often the store is asked whether the target has asked another
// process for time.
const lookEvery = time.Second

// Spared is a Connector whose target nobody calls while it wants to be left alone:
// neither this process, after a start anew, nor another that shares the
// userstore, nor a comparison. What was under way when it asked is over within a
// delivery's time.
type Spared struct {
	whole
	receipts Receipts
	key      string
	now      func() time.Time

	// turn is held by who reads or changes the rest.
	turn   chan struct{}
	looked time.Time // when the store was asked last
	until  time.Time
}

// Spare returns the Connector for this target.
func Spare(c Connector, target string, r Receipts, now func() time.Time) *Spared {
	sum := sha256.Sum256([]byte("left alone: " + target))
	return &Spared{whole: whole{c}, receipts: r, now: now, turn: make(chan struct{}, 1), key: "left_alone:" + base64.RawURLEncoding.EncodeToString(sum[:])}
}

// Deliver implements Connector.
func (s *Spared) Deliver(ctx context.Context, i identity.Identity, d identity.Delivery) (identity.Resource, error) {
	if err := s.wait(ctx); err != nil {
		has, _ := i.Resource(d.Target)
		return has, &uncalledError{err}
	}
	has, err := s.whole.Deliver(ctx, i, d)
	return has, s.heed(ctx, err)
}

// Compare implements Comparer, if the Connector is one.
func (s *Spared) Compare(ctx context.Context, i identity.Identity, d identity.Delivery) ([]Difference, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	all, err := s.whole.Compare(ctx, i, d)
	return all, s.heed(ctx, err)
}

// Accounts implements Lister, if the Connector is one.
func (s *Spared) Accounts(ctx context.Context, behind, count int) (page []Account, next int, err error) {
	if err := s.wait(ctx); err != nil {
		return nil, 0, err
	}
	page, next, err = s.whole.Accounts(ctx, behind, count)
	return page, next, s.heed(ctx, err)
}

// wait returns a LaterError while the target is to be left alone.
func (s *Spared) wait(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	now := s.now()
	if now.Sub(s.looked) >= lookEvery {
		if err := s.note(ctx, time.Unix(0, 0)); err != nil {
			return fmt.Errorf("see whether the target wants to be left alone: %w", err)
		}
		s.looked = now
	}
	if rest := s.until.Sub(now); rest > 0 {
		return &LaterError{After: rest, Err: fmt.Errorf("the target has asked to be left alone until %s", s.until.UTC().Format(time.RFC3339))}
	}
	return nil
}

// heed notes for all processes what the target asks for, and returns err.
func (s *Spared) heed(ctx context.Context, err error) error {
	asked := later(err)
	if asked <= 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	until := s.now().Add(asked)
	if !until.After(s.until) {
		return err
	}
	s.until = until
	if failed := s.note(ctx, until); failed != nil {
		return &LaterError{After: asked, Err: errors.Join(err, fmt.Errorf("other processes do not know of that: %w", failed))}
	}
	return err
}

// note has the store know a time, and learns the latest that it knows: of a
// receipt the later end counts.
func (s *Spared) note(ctx context.Context, until time.Time) error {
	noted, err := s.receipts.Receive(ctx, store.Receipt{Key: s.key, Digest: s.key, Expires: until})
	if err == nil && noted.Expires.After(s.until) {
		s.until = noted.Expires
	}
	return err
}
