//go:build unix

package histories_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/store/mongo"
)

// What holds of every history, whoever plays it how: the same logins again
// change nothing; one worker or many, one server or two, end in one state; a
// plan says what comes, and after it has come, that nothing more will.

const workers = 16

// twoFiles are two providers whose claims say all of what is stored: a claim
// that is gone takes its trait along.
var twoFiles = []string{`
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true, deny: [{when: has(claims.name) && claims.name == "Mallory"}]}
traits:
  email: {value: claims.email, verified: claims.verified, canonical: email, unique: true, required: true}
  name: {value: claims.name, absent: clear}
  title: {value: claims.title, absent: clear}
groups: {from: claims.groups, allow: [eng, staff], absent: clear}
`, `
version: 1
provider: beta
issuer: https://beta.example
jit: {enabled: true, userstore: employees}
traits:
  name: {value: claims.name, absent: default, default: Nobody}
  title: {value: claims.title, absent: clear}
groups: {from: claims.groups, map: {eng: engineering, staff: people}, absent: clear}
`}

// server is a service on a store, with the files.
func server(t testing.TB, s store.Store, clock func() time.Time) *provision.Service {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	for n, f := range twoFiles {
		folder[fmt.Sprintf("%d.yaml", n)] = &fstest.MapFile{Data: []byte(f)}
	}
	userstores := []string{provider.DefaultUserstore, "employees"}
	set, problems := provider.Loader{Env: env, Userstores: userstores, Now: clock}.Load(folder)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	log, d := slog.New(slog.DiscardHandler), directory.New(s, nil)
	return &provision.Service{
		Store: d, Editable: d, Journal: d, Later: provision.NewRecorder(d, log, func() {}),
		Providers: func() *provider.Set { return set }, Userstores: userstores, Now: clock, Log: log,
	}
}

// signIn is a login of a history.
type signIn struct {
	provider, subject string
	claims            map[string]any
	at                time.Duration // when the provider said so, no two at once
}

// signIns draws a history of logins of few people.
func (w *town) signIns(rt *rapid.T) []signIn {
	all := make([]signIn, rapid.IntRange(1, w.longest).Draw(rt, "logins"))
	order := rapid.Permutation(order(len(all))).Draw(rt, "order")
	for n := range all {
		who := rapid.SampledFrom(subjects).Draw(rt, "subject")
		c := map[string]any{
			// No two people claim one address: who comes first may have it, and
			// that is another property.
			"email":    who + rapid.SampledFrom([]string{"", ".b"}).Draw(rt, "mail") + "@acme.example",
			"verified": rapid.Bool().Draw(rt, "verified"),
			// Claims that are stored already are noted as seen within a second; until
			// then another server does not know of them. These always differ.
			"title": fmt.Sprint("title of ", order[n]),
		}
		if name := rapid.SampledFrom([]any{nil, "Ann", "Bob", "Mallory"}).Draw(rt, "name"); name != nil {
			c["name"] = name
		}
		if groups := rapid.SampledFrom([]any{nil, []any{}, []any{"eng"}, []any{"eng", "staff", "root"}}).Draw(rt, "groups"); groups != nil {
			c["groups"] = groups
		}
		id := rapid.SampledFrom([]string{"acme", "acme", "beta"}).Draw(rt, "provider")
		all[n] = signIn{provider: id, subject: who, claims: c, at: time.Duration(order[n]) * time.Second}
	}
	return all
}

func order(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// town is where one history is played, several times, by people of other names.
type town struct {
	stores  []store.Store // of one userstore, as the servers see it
	begin   time.Time
	servers []*provision.Service
	longest int // of the histories, in logins
}

func newTown(t testing.TB, longest int, stores ...store.Store) *town {
	w := &town{stores: stores, longest: longest, begin: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	for _, s := range stores {
		w.servers = append(w.servers, server(t, s, func() time.Time { return w.begin.Add(time.Hour) }))
	}
	return w
}

func (w *town) login(s signIn, prefix string, dated bool) identity.Login {
	claims := map[string]any{}
	for k, v := range s.claims {
		claims[k] = v
	}
	claims["email"] = prefix + claims["email"].(string)
	l := identity.Login{
		Hook: identity.HookGeneric, Caller: "test", Providers: []string{"*"}, Provider: s.provider,
		Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: s.provider, Subject: prefix + s.subject, Claims: claims}},
	}
	if dated {
		l.At = w.begin.Add(s.at)
	}
	return l
}

// play performs a login until it is decided: a conflict asks for another try.
func (w *town) play(at int, l identity.Login) (r identity.Record) {
	for range 100 {
		if r = w.servers[at].Provision(context.Background(), l).Record; r.Decision != identity.Error {
			break
		}
	}
	return r
}

// state is what is stored of everybody with the prefix, without what a history
// that was played otherwise may have otherwise: ids, times of writing, revisions.
func (w *town) state(rt *rapid.T, prefix string) map[string]string {
	state := map[string]string{}
	for _, id := range []string{"acme", "beta"} {
		for _, s := range subjects {
			found, err := w.stores[0].Find(context.Background(), identity.FedKey("https://"+id+".example", prefix+s))
			if err != nil || len(found) > 1 {
				rt.Fatalf("%d identities of one subject, %v", len(found), err)
			}
			for _, i := range found {
				var by []string
				for _, p := range i.Provenance {
					by = append(by, p.Path+" "+p.Source+" "+p.VerifiedBy)
				}
				slices.Sort(by)
				traits := fmt.Sprint(i.Traits["email"] == nil, i.Traits["name"], i.Traits["title"])
				if mail, ok := i.Traits["email"].(string); ok {
					traits += mail[len(prefix):]
				}
				state[id+"/"+s] = fmt.Sprint(i.Userstore, i.State, traits, i.Groups, by, i.Links[0].ClaimsTime.Sub(w.begin), len(i.Keys))
			}
		}
	}
	return state
}

func same(rt *rapid.T, what string, want, got map[string]string) {
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("%s (-once +so):\n%s", what, diff)
	}
}

// alone plays a history in its order, on one server.
func (w *town) alone(logins []signIn, prefix string, dated bool) {
	for _, s := range logins {
		w.play(0, w.login(s, prefix, dated))
	}
}

// together plays a history by many workers, on all servers.
func (w *town) together(logins []signIn, prefix string) {
	var all sync.WaitGroup
	todo := make(chan signIn)
	for n := range workers {
		all.Go(func() {
			for s := range todo {
				w.play(n%len(w.servers), w.login(s, prefix, true))
			}
		})
	}
	for _, s := range logins {
		todo <- s
	}
	close(todo)
	all.Wait()
}

func prefix() string { return uuid.NewString() + "-" }

// twice holds that whatever was played once changes nothing when it comes again.
func (w *town) twice(rt *rapid.T) {
	logins := w.signIns(rt)
	once, doubled, again := prefix(), prefix(), prefix()
	w.alone(logins, once, true)
	for _, s := range logins {
		l := w.login(s, doubled, true)
		first := w.play(0, l)
		second := w.play(0, l)
		if first.Decision != identity.Denied && (second.Decision != identity.Unchanged || len(second.Change) > 0) {
			rt.Fatalf("%s, and the same again %s %v", first.Decision, second.Decision, second.Change)
		}
	}
	same(rt, "each login twice", w.state(rt, once), w.state(rt, doubled))
	w.alone(logins, again, true)
	w.alone(logins, again, true)
	same(rt, "the history twice", w.state(rt, once), w.state(rt, again))
}

// crowded holds that it does not matter how many play.
func (w *town) crowded(rt *rapid.T) {
	logins := w.signIns(rt)
	one, many := prefix(), prefix()
	w.alone(logins, one, true)
	w.together(logins, many)
	same(rt, fmt.Sprintf("%d workers, %d servers", workers, len(w.servers)), w.state(rt, one), w.state(rt, many))
}

// foreseen holds a plan to what comes of it, and the next one to say that
// nothing is left to do.
func (w *town) foreseen(rt *rapid.T) {
	p := prefix()
	for _, s := range w.signIns(rt) {
		l := w.login(s, p, rapid.Bool().Draw(rt, "dated"))
		plan := func() identity.Record {
			out, err := w.servers[0].Preview(context.Background(), l)
			if err != nil {
				rt.Fatal(err)
			}
			return out.Record
		}
		before := plan()
		came := w.play(0, l)
		if before.Decision != came.Decision || !cmp.Equal(before.Change, came.Change) || !cmp.Equal(before.Reasons, came.Reasons) {
			rt.Fatalf("planned %s %v, came %s %v", before.Decision, before.Change, came.Decision, came.Change)
		}
		after := plan()
		if want := identity.Unchanged; came.Decision != identity.Denied && after.Decision != want {
			rt.Fatalf("%s, and then planned %s %v", came.Decision, after.Decision, after.Change)
		}
	}
}

func TestPropertiesOnBolt(t *testing.T) {
	t.Parallel()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := newTown(t, 24, s)
	t.Run("twice is once", rapid.MakeCheck(w.twice))
	t.Run("one worker or many", rapid.MakeCheck(w.crowded))
	t.Run("a plan tells", rapid.MakeCheck(w.foreseen))
}

func TestPropertiesOnMongo(t *testing.T) {
	t.Parallel()
	db := peer.Server(t)
	name := db.Database(t)
	var stores []store.Store
	for range 2 {
		s, err := mongo.Open(t.Context(), mongo.Options{URI: db.URI, Database: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores = append(stores, s)
	}
	w, two := newTown(t, 8, stores[0]), newTown(t, 8, stores...)
	t.Run("twice is once", rapid.MakeCheck(w.twice))
	t.Run("one worker or many", rapid.MakeCheck(w.crowded))
	t.Run("one server or two", rapid.MakeCheck(two.crowded))
	t.Run("a plan tells", rapid.MakeCheck(w.foreseen))
}
