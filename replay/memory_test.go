package replay_test

// A replay of a million logins happens inside a server that signs people in: what
// it remembers of each is little.

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/replay"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
)

// pages are records of so many subjects, whose claims do not open.
type pages struct{ subjects int }

func (p pages) Decisions(_ context.Context, q store.DecisionQuery) (page store.DecisionPage, err error) {
	var from int
	fmt.Sscan(q.PageToken, &from)
	for n := from; n < min(from+q.PageSize, p.subjects); n++ {
		page.Records = append(page.Records, identity.Record{
			ID: fmt.Sprint(n), Hook: identity.HookGeneric, Provider: "acme", Decision: identity.Created,
			SubjectKey: identity.FedKey("https://acme.example", fmt.Sprint(n)), Claims: &identity.KeptClaims{Mode: identity.ClaimsFull},
		})
	}
	if from+q.PageSize < p.subjects {
		page.NextPageToken = fmt.Sprint(from + q.PageSize)
	}
	return page, nil
}

func TestManySubjectsTakeLittleMemory(t *testing.T) {
	const subjects, most = 50_000, 80 // bytes of each; their keys alone, twice in a map, are 150
	h := open(t)
	r := &replay.Replay{
		Pair: replay.NewPair(directory.New(h.store, nil), h.Providers(), load(t, acme), userstores, h.Now), Records: pages{subjects}, Claims: h.ClaimLog,
	}
	inUse := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	sum, err := r.Run(t.Context(), func(replay.Summary, []replay.Difference) error { return nil })
	if err != nil || sum.LeftOut[replay.LeftUnreadable] != subjects {
		t.Fatalf("%+v, %v", sum, err)
	}
	if after := inUse(); after > before+subjects*most {
		t.Errorf("%d bytes for each subject", (after-before)/subjects)
	}
	runtime.KeepAlive(r)
}
