//go:build unix

package histories_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/mongo"
)

// Whole lives of a few people: three providers whose files are edited and
// removed, lookup rules and approved links, holds, questions, administrators,
// sweeps, messages sent twice, restarts, a clock that jumps; and other calls
// between a call's read and its write. No model says what comes of each: what
// holds whatever comes stands in laws_test.go.

func TestLivesOnBolt(t *testing.T) {
	t.Parallel()
	lives(t, embedded(t))
}

func TestLivesOnMongo(t *testing.T) {
	t.Parallel()
	db := peer.Server(t)
	s, err := mongo.Open(t.Context(), mongo.Options{URI: db.URI, Database: db.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	lives(t, s)
}

// lives plays histories on a home store: of any server and of a Kratos, with the
// userstore abroad in it and in a store of its own.
func lives(t *testing.T, home store.Store) {
	abroad, k := embedded(t), newBrowsers(t)
	rapid.Check(t, func(rt *rapid.T) {
		var own store.Store
		if rapid.Bool().Draw(rt, "in two stores") {
			own = abroad
		}
		var kratos *browsers
		if rapid.Bool().Draw(rt, "Kratos calls") {
			kratos = k
		}
		live(rt, t, home, own, kratos)
	})
}

func embedded(t testing.TB) store.Store {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// live is one history, of whoever calls or of a Kratos.
func live(rt *rapid.T, t testing.TB, s, abroad store.Store, k *browsers) {
	e := newEstate(t, rt, s, abroad, k)
	calls := map[string]func(*rapid.T){
		"login":         func(rt *rapid.T) { e.drawnLogin(rt, identity.HookGeneric) },
		"message":       e.message,
		"administrator": e.administrates,
		"link decided":  e.decidesLink,
		"hold released": e.releases,
		"sweep":         e.sweeps,
	}
	if k != nil {
		calls["browser"], calls["browser again"], calls["return"], calls["proof"], calls["settings"] = e.browse, e.browse, e.returns, e.proves, e.settles
	} else {
		calls["prepare"] = func(rt *rapid.T) { e.drawnLogin(rt, identity.HookPrepare) }
		calls["commit"] = func(rt *rapid.T) { e.commits(rt, drawLogin(rt, e, identity.HookCommit)) }
		calls["Kratos login"] = func(rt *rapid.T) { e.drawnLogin(rt, identity.HookLogin) }
	}
	actions := maps.Clone(calls)
	if k != nil {
		actions["account deleted"], actions["import"] = e.forgets, e.adopts
	}
	actions[""] = e.lawful
	actions["again"] = func(rt *rapid.T) {
		if e.last == nil {
			rt.Skip("nothing has happened")
		}
		e.last(rt)
	}
	actions["meddling"] = func(rt *rapid.T) {
		others := slices.DeleteFunc(slices.Sorted(maps.Keys(calls)), func(name string) bool { return rare[name] })
		other := calls[rapid.SampledFrom(others).Draw(rt, "other")]
		e.store.between = func() {
			last := e.last
			other(rt)
			e.last, e.before = last, e.snapshot(rt) // what the call between has left
		}
	}
	actions["file"] = func(rt *rapid.T) {
		id := rapid.SampledFrom(providers).Draw(rt, "provider")
		if _, there := e.files[id]; there && len(e.files) > 1 && rapid.IntRange(0, 3).Draw(rt, "removed") == 0 {
			delete(e.files, id)
		} else {
			e.files[id] = drawDraft(rt, id)
		}
		e.reload(rt)
	}
	actions["time"] = func(rt *rapid.T) {
		e.now = e.now.Add(rapid.SampledFrom([]time.Duration{-time.Hour, time.Minute, time.Hour, 25 * time.Hour, 49 * time.Hour, 31 * 24 * time.Hour}).Draw(rt, "passes"))
	}
	actions["flush"] = func(*rapid.T) { e.flush() }
	actions["crash"] = func(rt *rapid.T) {
		e.start() // what was queued is lost
		e.log.lost(rt, e.all)
	}
	actions["told"] = e.told
	rt.Repeat(actions)
	e.store.between = nil
	e.flush()
	e.kept(rt)
}

// rare are calls that often have nobody to be about, and would end the one that
// they come between.
var rare = map[string]bool{"link decided": true, "hold released": true, "proof": true, "return": true, "settings": true}

// drawLogin is a login of somebody.
func drawLogin(rt *rapid.T, e *estate, hook identity.Hook) identity.Login {
	id := rapid.SampledFrom([]string{"acme", "acme", "beta", "gamma"}).Draw(rt, "provider") // few enough to come again
	who := rapid.SampledFrom([]string{"a", "a", "b", "c"}).Draw(rt, "subject")
	l := identity.Login{
		Hook: hook, Caller: "test", Providers: []string{"*"}, Provider: id, FlowID: rapid.SampledFrom([]string{"", "f-1", "f-2"}).Draw(rt, "flow"),
		External: identity.ExternalID{System: identity.SystemKratos, Instance: instance},
	}
	offer := identity.Offer{Source: identity.SourceKratosMetadata, Provider: id, Issuer: issuerOf(id), Subject: e.prefix + who}
	switch hook {
	case identity.HookGeneric:
		l.External.System, offer.Source = identity.SystemGeneric, identity.SourceHookBody
		l.External.ID = rapid.SampledFrom([]string{"", "", "", "x-a", "x-b"}).Draw(rt, "external")
	case identity.HookCommit, identity.HookLogin:
		l.External.ID = "k-" + rapid.SampledFrom([]string{who, who, who, "a", "b"}).Draw(rt, "kratos")
	}
	if hook != identity.HookCommit && (hook != identity.HookLogin || rapid.Bool().Draw(rt, "claims")) {
		offer.Claims = drawClaims(rt, who)
	}
	l.Offers = []identity.Offer{offer}
	if hook == identity.HookGeneric && rapid.Bool().Draw(rt, "dated") {
		l.At = e.now.Add(time.Duration(rapid.IntRange(-30, 30).Draw(rt, "at")) * time.Second)
	}
	if rapid.Bool().Draw(rt, "answers") {
		l.Answers = map[string]any{
			"/traits/terms": rapid.Bool().Draw(rt, "accepted"), "/traits/email": who + "@home.example", "/traits/username": "root", "/traits/title": "Boss",
		}
	}
	return l
}

func drawClaims(rt *rapid.T, who string) map[string]any {
	c := map[string]any{}
	for _, d := range drawn {
		if v := rapid.SampledFrom(d.values(who)).Draw(rt, d.claim); v != nil {
			c[d.claim] = v
		}
	}
	return c
}

// drawn are the claims, in an order that a history can be played in again.
var drawn = []struct {
	claim  string
	values func(who string) []any
}{
	{"email", func(who string) []any {
		own := who + "@acme.example"
		return []any{nil, own, own, own, "a@acme.example", "A@acme.example", who + "@other.example"}
	}},
	{"verified", func(string) []any { return []any{nil, true, true, true, true, "true", false} }},
	{"username", func(who string) []any { return []any{nil, who, "ann", "Ann", "ann2"} }},
	{"name", func(string) []any { return []any{nil, "Ann", "Bob", "Mallory"} }},
	{"title", func(string) []any { return []any{nil, "Clerk", "Boss"} }},
	{"groups", func(string) []any {
		return []any{nil, []any{}, []any{"eng"}, []any{"eng", "staff"}, []any{"admins", "eng"}, "eng"}
	}},
}

// call carries out a call, and holds what came of it to the laws.
func (e *estate) call(rt *rapid.T, make func() provision.Outcome, laws func(*rapid.T, change)) provision.Outcome {
	e.now = e.now.Add(time.Second)
	e.before = e.snapshot(rt)
	out := make()
	c := change{estate: e, before: e.before, after: e.snapshot(rt), out: out}
	c.recorded(rt)
	laws(rt, c)
	return out
}

func (e *estate) drawnLogin(rt *rapid.T, hook identity.Hook) {
	l := drawLogin(rt, e, hook)
	e.signsIn(rt, l, l.Offers[0])
}

// signsIn is a login of whom by describes.
func (e *estate) signsIn(rt *rapid.T, l identity.Login, by identity.Offer) provision.Outcome {
	if e.kratos == nil || l.Hook == identity.HookGeneric {
		e.last = func(rt *rapid.T) { e.signsIn(rt, l, by) }
	}
	quiet := e.store.between == nil
	var planned provision.Outcome
	if quiet {
		e.now = e.now.Add(time.Second)
		var err error
		if planned, _, err = e.Explain(e.ctx, l); err != nil {
			rt.Fatal(err)
		}
		e.now = e.now.Add(-time.Second)
	}
	out := e.call(rt, func() provision.Outcome { return e.Provision(e.ctx, l) }, func(rt *rapid.T, c change) {
		c.login(rt, l, by)
		if quiet {
			c.foreseen(rt, planned)
		}
	})
	if quiet && rapid.Bool().Draw(rt, "twice") {
		e.call(rt, func() provision.Outcome { return e.Provision(e.ctx, l) }, func(rt *rapid.T, c change) {
			c.login(rt, l, by)
			c.again(rt, out)
		})
	}
	return out
}

func (e *estate) commits(rt *rapid.T, l identity.Login) {
	e.last = func(rt *rapid.T) { e.commits(rt, l) }
	e.call(rt, func() provision.Outcome { return e.Commit(e.ctx, l) }, func(rt *rapid.T, c change) { c.login(rt, l, l.Offers[0]) })
}

// message is a login that its caller has signed, and may send again.
func (e *estate) message(rt *rapid.T) {
	l := drawLogin(rt, e, identity.HookGeneric)
	id := uuid.NewString()
	d := provision.Delivery{ID: id, Key: id, Digest: id, Expires: e.now.Add(time.Hour)}
	deliver := func() provision.Outcome {
		out, err := e.Deliver(e.ctx, d, l)
		if err != nil {
			rt.Fatal(err)
		}
		return out
	}
	first := e.call(rt, deliver, func(rt *rapid.T, c change) { c.login(rt, l, l.Offers[0]) })
	e.last = func(rt *rapid.T) {
		e.call(rt, deliver, func(rt *rapid.T, c change) { c.answeredAgain(rt, first) })
	}
}

// edits of somebody, by an administrator.
func (e *estate) edits(rt *rapid.T, id string, edit provision.Edit) {
	e.last = func(rt *rapid.T) { e.edits(rt, id, edit) }
	var failed error
	e.call(rt, func() provision.Outcome {
		out, err := e.Edit(e.ctx, provision.Target{ID: id}, edit)
		failed = err
		return out
	}, func(rt *rapid.T, c change) {
		if failed == nil {
			c.edit(rt)
			return
		}
		var invalid *provision.InvalidError
		for _, known := range []error{store.ErrNotFound, provision.ErrNoLink, provision.ErrNoHold, provision.ErrNoProposal} {
			if errors.Is(failed, known) {
				c.nothing(rt)
				return
			}
		}
		if !errors.As(failed, &invalid) {
			rt.Fatal(failed)
		}
		c.nothing(rt)
	})
}

// anybody draws one of those who are there.
func (e *estate) anybody(rt *rapid.T) identity.Identity {
	all := e.snapshot(rt)
	if len(all) == 0 {
		rt.Skip("nobody is there")
	}
	return all[rapid.SampledFrom(ids(all)).Draw(rt, "identity")]
}

func (e *estate) administrates(rt *rapid.T) {
	i := e.anybody(rt)
	var edit provision.Edit
	switch what := rapid.SampledFrom([]string{"suspend", "activate", "activate", "deprovision", "delete", "unlink", "traits", "traits", "groups"}).Draw(rt, "edit"); what {
	case "suspend":
		edit = provision.Suspend()
	case "activate":
		edit = provision.Activate()
	case "deprovision":
		edit = provision.Deprovision()
	case "delete":
		edit = provision.Delete()
	case "unlink":
		edit = provision.Unlink(rapid.SampledFrom(providers).Draw(rt, "provider"))
	case "traits":
		name := rapid.SampledFrom([]string{"email", "username", "name", "title", "terms"}).Draw(rt, "trait")
		var v any
		switch name {
		case "email":
			v = rapid.SampledFrom([]any{nil, "a@acme.example", "b@acme.example", "c@home.example"}).Draw(rt, "value")
		case "terms":
			v = false
		default:
			v = rapid.SampledFrom([]any{nil, "ann", "bob", "Boss"}).Draw(rt, "value")
		}
		value := &v
		if v == nil {
			value = nil
		}
		edit = provision.Amend(provision.Patch{Traits: map[string]*any{name: value}})
	case "groups":
		group := rapid.SampledFrom([][]string{{"eng"}, {"admins"}, {"own"}}).Draw(rt, "group")
		if rapid.Bool().Draw(rt, "add") {
			edit = provision.Amend(provision.Patch{Add: group})
		} else {
			edit = provision.Amend(provision.Patch{Remove: group})
		}
	}
	e.edits(rt, i.ID, edit)
}

func (e *estate) decidesLink(rt *rapid.T) {
	i := e.anybody(rt)
	if len(i.Proposals) == 0 {
		rt.Skip("nothing is proposed")
	}
	id := i.ProposalID(rapid.SampledFrom(i.Proposals).Draw(rt, "proposal"))
	if rapid.IntRange(0, 2).Draw(rt, "approved") > 0 {
		e.edits(rt, i.ID, provision.Approve(id))
	} else {
		e.edits(rt, i.ID, provision.Reject(id))
	}
}

func (e *estate) releases(rt *rapid.T) {
	i := e.anybody(rt)
	if len(i.Holds) == 0 {
		rt.Skip("nothing is held")
	}
	e.edits(rt, i.ID, provision.Release(i.Holds[0].ID))
}

func (e *estate) sweeps(rt *rapid.T) {
	w := provision.Sweep{Rule: rapid.SampledFrom(provision.Rules()).Draw(rt, "rule"), Apply: true}
	e.last = nil
	e.now = e.now.Add(time.Second)
	e.before = e.snapshot(rt)
	swept, err := e.Sweep(e.ctx, w)
	if err != nil {
		rt.Fatal(err)
	}
	change{estate: e, before: e.before, after: e.snapshot(rt)}.swept(rt, w, swept)
}

// told is hr learning of somebody, which ends what is left of who was deleted.
func (e *estate) told(rt *rapid.T) {
	i := e.anybody(rt)
	if i.DeliveryTo("hr") < 0 || i.State == identity.StatePending {
		rt.Skip("nothing is due")
	}
	i.Outbox = nil
	i.OutboxVersion++
	if i.State == identity.StateDeleted {
		i.Forget("hr")
	} else {
		i.Remember(identity.Resource{Target: "hr", ID: "hr-" + i.ID})
	}
	if err := e.all.SetOutbox(e.ctx, i); err != nil {
		rt.Fatal(err)
	}
}
