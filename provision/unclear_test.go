package provision_test

// These tests prove that what was written although the store did not say so keeps
// its record: the record of the fault is another one, whose claims open.

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// unclear loses the store's replies to writes while it is down.
type unclear struct {
	provision.Store
	*outage
}

func (u unclear) lost(err error) error {
	if err == nil && u.down.Load() {
		return fmt.Errorf("the reply is lost: %w", store.ErrUnavailable)
	}
	return err
}

func (u unclear) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	return u.lost(u.Store.Insert(ctx, i, r))
}

func (u unclear) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	return u.lost(u.Store.Swap(ctx, i, r))
}

func TestRecordOfALostReply(t *testing.T) {
	for name, c := range map[string]struct {
		before bool // somebody is there
		login  identity.Login
		want   identity.Decision // of the record in the store
	}{
		"created": {false, generic("s-1", ann()), identity.Created},
		"prepare": {false, kratos(identity.HookPrepare, nobody, "s-1", ann()), identity.Created},
		"updated": {true, generic("s-1", ann(with("name", "Ann Other"))), identity.Updated},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutage(t)
				keeper, err := claimlog.New(identity.ClaimsFull, []claimlog.Key{{ID: "k", Secret: bytes.Repeat([]byte{1}, 32)}})
				if err != nil {
					t.Fatal(err)
				}
				o.ClaimLog = keeper
				if c.before {
					o.Provision(t.Context(), generic("s-1", ann()))
				}
				o.Store = unclear{o.Store, o}
				o.store.fail = func(op string) error {
					if op == "record" && o.down.Load() {
						return fmt.Errorf("bolt: %w", store.ErrUnavailable)
					}
					return nil
				}
				o.down.Store(true)
				out := o.Provision(t.Context(), c.login)
				want(t, out, identity.Error, identity.CodeStoreUnavailable)
				time.Sleep(5 * time.Second)
				o.down.Store(false)
				time.Sleep(5 * time.Second)
				o.end()
				for want, id := range map[identity.Decision]string{c.want: o.only().DecisionID, identity.Error: out.Record.ID} {
					r, err := o.store.Decision(t.Context(), id)
					if err != nil || r.Decision != want {
						t.Fatalf("the record says %q, want %q: %v", r.Decision, want, err)
					}
					if opened, err := keeper.Open(r); err != nil || opened.Subject != "s-1" {
						t.Errorf("%s: its claims are of %q, %v", want, opened.Subject, err)
					}
				}
			})
		})
	}
}
