package replay_test

// On MongoDB a replay finds what it finds on the embedded store, a shadow records
// it there, and both read only.

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/replay"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

func TestOnMongo(t *testing.T) {
	srv := peer.Server(t)
	s, err := mongo.Open(t.Context(), mongo.Options{URI: srv.URI, Database: srv.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h := over(t, s)
	var ids []string
	for n := range 20 {
		name := fmt.Sprintf("u%d", n)
		ids = append(ids, h.login(name, claims(name)).Record.IdentityID)
	}
	candidate := load(t, edited(t, "[staff, eng]", "[staff]"))
	h.store.looks = 0
	sum, found := h.replay(candidate)
	if sum.Replayed != 20 || sum.Changed != 20 || len(found) != 40 || h.store.looks != 1 {
		t.Errorf("%+v, %d found, %d reads", sum, len(found), h.store.looks)
	}
	for n, d := range found {
		if d.IdentityID != ids[19-n/2] || !cmp.Equal(d.Lost, []string{"eng"}) {
			t.Errorf("%d: %+v", n, d)
		}
	}

	l := &ledger{done: make(chan struct{}, 1)}
	later := provision.NewRecorder(s, slog.New(slog.DiscardHandler), func() { t.Error("a record was dropped") })
	shadow := replay.NewShadow(replay.Shadow{
		Store: directory.New(h.store, nil), Live: h.Providers, Candidate: always(candidate), Userstores: userstores, Sample: 1,
		Now: h.Now, Log: slog.New(slog.DiscardHandler), Later: later, Count: l,
	})
	h.store.sealed, h.Decided = false, shadow.See
	out := h.login("new", claims("new"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { shadow.Run(ctx); close(ended) }()
	<-l.done
	cancel()
	<-ended
	later.Run(ctx)
	page, err := s.Decisions(t.Context(), store.DecisionQuery{Decision: identity.Shadowed})
	if err != nil || len(page.Records) != 1 || !cmp.Equal(page.Records[0].Shadow, &identity.Shadow{Of: out.Record.ID, Decision: identity.Created, Kinds: []string{"groups"}}) {
		t.Errorf("%v, %+v", err, page.Records)
	}
}
