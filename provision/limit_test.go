package provision_test

// These tests prove that a provider's logins make no more identities in an hour
// than its file lets them, on however many servers, that nobody else is slowed,
// and that who begins again is not counted again, who cannot be made not at all.

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func limited(n int) string {
	return replace(acme, "enabled: true", fmt.Sprintf("enabled: true\n  limits: {max_creates_per_hour: %d}", n))
}

func number(n int) map[string]any {
	return ann(with("email", fmt.Sprintf("p%d@acme.example", n)), with("preferred_username", fmt.Sprintf("p%d", n)))
}

func TestCreateLimit(t *testing.T) {
	h := open(t, limited(2), strings.NewReplacer("acme", "globex").Replace(limited(2)))
	create := func(n int, hook identity.Hook) identity.Login {
		if hook == identity.HookGeneric {
			return generic(fmt.Sprintf("s-%d", n), number(n))
		}
		return kratos(hook, nobody, fmt.Sprintf("s-%d", n), number(n))
	}
	want(t, h.Provision(t.Context(), create(1, identity.HookGeneric)), identity.Created)
	want(t, h.Provision(t.Context(), create(2, identity.HookPrepare)), identity.Created)
	want(t, h.Provision(t.Context(), create(3, identity.HookGeneric)), identity.Denied, identity.CodeCreateLimit)
	want(t, h.Provision(t.Context(), create(3, identity.HookPrepare)), identity.Denied, identity.CodeCreateLimit)

	// Who is there is not concerned: neither who begins again nor who changes.
	want(t, h.Provision(t.Context(), create(2, identity.HookPrepare)), identity.Unchanged)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("email", "p1@acme.example"), with("preferred_username", "p1"), with("name", "Ann Other")))), identity.Updated)
	globex := create(4, identity.HookGeneric)
	globex.Provider, globex.Offers[0].Provider = "globex", "globex"
	globex.Offers[0].Claims["hd"], globex.Offers[0].Claims["email"] = "globex.example", "p4@globex.example"
	want(t, h.Provision(t.Context(), globex), identity.Created)

	h.now = h.now.Truncate(time.Hour).Add(time.Hour - 1)
	want(t, h.Provision(t.Context(), create(3, identity.HookGeneric)), identity.Denied, identity.CodeCreateLimit)
	h.now = h.now.Add(1)
	want(t, h.Provision(t.Context(), create(3, identity.HookGeneric)), identity.Created)
}

// A limit costs a first login one read and one write, and no other login
// anything; without one nobody counts.
func TestCreateLimitCosts(t *testing.T) {
	for file, first := range map[string]int64{limited(5): 2, acme: 1} {
		h := open(t, file)
		want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
		h.cost(first, first)
		want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Unchanged)
		h.cost(1, 0)
		want(t, h.Provision(t.Context(), generic("s-2", ann(with("guest", true)))), identity.Denied)
		h.cost(1, 1)
	}
}

// A login that is planned again has counted once; one that nobody can count is
// not let in.
func TestCreateLimitAndFaults(t *testing.T) {
	h := open(t, limited(2))
	h.store.fail = failing("insert", 2, store.ErrConflict)
	want(t, h.Provision(t.Context(), generic("s-1", number(1))), identity.Created)
	h.store.fail = nil
	want(t, h.Provision(t.Context(), generic("s-2", number(2))), identity.Created)
	want(t, h.Provision(t.Context(), generic("s-3", number(3))), identity.Denied, identity.CodeCreateLimit)

	h = open(t, limited(2))
	h.store.fail = failing("spend", 1, store.ErrUnavailable)
	want(t, h.Provision(t.Context(), generic("s-1", number(1))), identity.Error, identity.CodeStoreUnavailable)
	if n := len(h.all()); n != 0 {
		t.Errorf("%d identities", n)
	}
}

// Who wants what somebody has uses nothing up, however often.
func TestCreateLimitAndTakenTraits(t *testing.T) {
	h := open(t, limited(3))
	want(t, h.Provision(t.Context(), generic("s-1", number(1))), identity.Created)
	h.cost(2, 2)
	for _, bob := range []identity.Login{
		generic("s-2", number(1)), kratos(identity.HookPrepare, nobody, "s-2", number(1)), generic("s-2", number(1)),
	} {
		want(t, h.Provision(t.Context(), bob), identity.Denied, identity.CodeTraitTaken)
		h.cost(2, 1)
	}
	want(t, h.Provision(t.Context(), generic("s-3", number(3))), identity.Created)
	want(t, h.Provision(t.Context(), generic("s-4", number(4))), identity.Created)
	want(t, h.Provision(t.Context(), generic("s-2", number(1))), identity.Denied, identity.CodeTraitTaken)
	want(t, h.Provision(t.Context(), generic("s-2", number(2))), identity.Denied, identity.CodeCreateLimit)
}

func TestCreateLimitOverReplicas(t *testing.T) {
	h := open(t, limited(10))
	replicas := []*house{h, h.replica(0), h.replica(0), h.replica(time.Second)}
	for _, r := range replicas {
		r.Providers, r.Budgets = h.Providers, h.Budgets
	}
	var made atomic.Int64
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() {
			if replicas[n%len(replicas)].Provision(t.Context(), generic(fmt.Sprintf("s-%d", n), number(n))).Record.Decision == identity.Created {
				made.Add(1)
			}
		})
	}
	all.Wait()
	if made.Load() != 10 || len(h.all()) != 10 {
		t.Errorf("%d were made, %d are there", made.Load(), len(h.all()))
	}
}
