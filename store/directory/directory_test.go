package directory_test

// Several stores keep the contract of one, wherever its identities are; a
// subject has one identity in all of them, whoever comes at the same time; and a
// store that is down stops nobody who does not need it.

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/store/storetest"
)

func TestContract(t *testing.T) {
	for name, own := range map[string][]string{
		"home alone":           nil,
		"identities are home":  {"employees", "partners"},
		"in a store elsewhere": {"default", "employees"},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Suite{Contention: 16, Several: true}.Run(t, func(t *testing.T) store.Store { return open(t, own...).Directory })
		})
	}
}

// town is a directory over embedded stores that can be taken down.
type town struct {
	*directory.Directory
	home   *fragile
	places map[string]*fragile // the stores that userstores have of their own
}

// fragile is a real store that can be down, and counts what it is asked.
type fragile struct {
	store.Store
	down  atomic.Bool
	short atomic.Bool // its pages have one item, as they may
	calls atomic.Int64
	// damaged are those that it cannot read.
	damaged []string
}

var errDown = errors.Join(errors.New("down"), store.ErrUnavailable)

func (f *fragile) gate() error {
	f.calls.Add(1)
	if f.down.Load() {
		return errDown
	}
	return nil
}

func (f *fragile) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	if err := f.gate(); err != nil {
		return nil, err
	}
	return f.Store.Find(ctx, keys...)
}

func (f *fragile) Get(ctx context.Context, id string) (identity.Identity, error) {
	if err := f.gate(); err != nil {
		return identity.Identity{}, err
	}
	return f.Store.Get(ctx, id)
}

func (f *fragile) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	if err := f.gate(); err != nil {
		return err
	}
	return f.Store.Insert(ctx, i, r)
}

func (f *fragile) Pin(ctx context.Context, key identity.Key, userstore string) error {
	if err := f.gate(); err != nil {
		return err
	}
	return f.Store.Pin(ctx, key, userstore)
}

func (f *fragile) Record(ctx context.Context, r []identity.Record, touched []store.Touch) error {
	if err := f.gate(); err != nil {
		return err
	}
	return f.Store.Record(ctx, r, touched)
}

func (f *fragile) List(ctx context.Context, q store.Query) (store.Page, error) {
	if err := f.gate(); err != nil {
		return store.Page{}, err
	}
	if f.short.Load() {
		q.PageSize = 1
	}
	p, err := f.Store.List(ctx, q)
	p.Identities = slices.DeleteFunc(p.Identities, func(i identity.Identity) bool {
		gone := slices.Contains(f.damaged, i.ID)
		if gone {
			p.Damaged = append(p.Damaged, i.ID)
		}
		return gone
	})
	return p, err
}

func (f *fragile) Decisions(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error) {
	if f.short.Load() {
		q.PageSize = 1
	}
	return f.Store.Decisions(ctx, q)
}

func (f *fragile) Ping(ctx context.Context) error {
	if err := f.gate(); err != nil {
		return err
	}
	return f.Store.Ping(ctx)
}

func open(t *testing.T, own ...string) *town {
	t.Helper()
	one := func() *fragile {
		s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
		must(t, err)
		return &fragile{Store: s}
	}
	w := &town{home: one(), places: map[string]*fragile{}}
	stores := map[string]store.Store{}
	for _, name := range own {
		w.places[name] = one()
		stores[name] = w.places[name]
	}
	w.Directory = directory.New(w.home, stores)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

// asked returns how often each store was asked since the last time; "" is home.
func (w *town) asked() map[string]int64 {
	out := map[string]int64{}
	for name, s := range w.all() {
		if n := s.calls.Swap(0); n > 0 {
			out[name] = n
		}
	}
	return out
}

func (w *town) all() map[string]*fragile {
	all := maps.Clone(w.places)
	all[""] = w.home
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func person(userstore string, keys ...identity.Key) identity.Identity {
	slices.Sort(keys)
	return identity.Identity{
		ID: uuid.Must(uuid.NewV7()).String(), Userstore: userstore, State: identity.StateActive, Revision: 1, Keys: keys,
		CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
}

func (w *town) insert(t *testing.T, userstore string, keys ...identity.Key) identity.Identity {
	t.Helper()
	i := person(userstore, keys...)
	must(t, w.Insert(t.Context(), i, identity.Record{}))
	return i
}

func fed() identity.Key { return identity.FedKey("https://idp.example", uuid.NewString()) }

func ext() identity.Key {
	return identity.ExtKey(identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: uuid.NewString()})
}

// A look-up asks no more stores than may have somebody, and only when those
// have answered is somebody unknown.
func TestLook(t *testing.T) {
	w := open(t, "employees", "partners")
	atHome, employee, made := fed(), fed(), fed()
	hid, eid := ext(), ext()
	h := w.insert(t, "default", atHome, hid)
	e := w.insert(t, "employees", employee, eid)
	must(t, w.Pin(t.Context(), made, "partners"))
	w.asked()
	type asked = map[string]int64
	for name, c := range map[string]struct {
		first   string
		keys    []identity.Key
		want    []string // ids
		partial bool
		pins    map[identity.Key]string
		asked   asked
	}{
		"known where one looks":           {"employees", []identity.Key{employee}, []string{e.ID}, false, nil, asked{"employees": 1}},
		"known where one looks, with ids": {"employees", []identity.Key{employee, eid}, []string{e.ID}, false, nil, asked{"employees": 1}},
		"known at home":                   {"default", []identity.Key{atHome, hid}, []string{h.ID}, false, nil, asked{"": 1}},
		"home says where":                 {"default", []identity.Key{employee}, []string{e.ID}, false, nil, asked{"": 1, "employees": 1}},
		"not there":                       {"employees", []identity.Key{atHome}, nil, true, nil, asked{"employees": 1}},
		"not there, looked everywhere":    {"", []identity.Key{atHome}, []string{h.ID}, false, nil, asked{"": 1}},
		"elsewhere, looked everywhere":    {"", []identity.Key{employee}, []string{e.ID}, false, nil, asked{"": 1, "employees": 1}},
		"unknown":                         {"", []identity.Key{fed()}, nil, false, nil, asked{"": 1}},
		"unknown at home":                 {"default", []identity.Key{fed()}, nil, false, nil, asked{"": 1}},
		"pinned and not made":             {"default", []identity.Key{made}, nil, false, map[identity.Key]string{made: "partners"}, asked{"": 1, "partners": 1}},
		"an unknown id of a known person": {"employees", []identity.Key{employee, ext()}, []string{e.ID}, false, nil, asked{"": 1, "employees": 1, "partners": 1}},
		"an id alone, of nobody":          {"", []identity.Key{ext()}, nil, false, nil, asked{"": 1, "employees": 1, "partners": 1}},
		"names of a userstore":            {"employees", []identity.Key{identity.MailKey("employees", "x")}, nil, false, nil, asked{"employees": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := w.Look(t.Context(), c.first, c.keys...)
			must(t, err)
			var ids []string
			for _, i := range found.Identities {
				ids = append(ids, i.ID)
			}
			if !slices.Equal(ids, c.want) || found.Partial != c.partial || !maps.Equal(found.Pins, c.pins) {
				t.Errorf("found %v, partial %t, %d pins; want %v, %t, %d", ids, found.Partial, len(found.Pins), c.want, c.partial, len(c.pins))
			}
			if asked := w.asked(); !maps.Equal(asked, c.asked) {
				t.Errorf("asked %v, want %v", asked, c.asked)
			}
		})
	}
	// Last: the answer does not wait for a store whose answer settles nothing any
	// more, and how many were asked is a matter of time.
	t.Run("an id that is another's", func(t *testing.T) {
		found, err := w.Look(t.Context(), "employees", employee, hid)
		must(t, err)
		if len(found.Identities) != 2 || found.Identities[0].ID != min(e.ID, h.ID) || found.Identities[1].ID != max(e.ID, h.ID) {
			t.Errorf("found %d identities, want the person's and the other's", len(found.Identities))
		}
	})
}

// Whoever can be found without the store that is down, is; of nobody else it is
// said that they are unknown.
func TestOneIsDown(t *testing.T) {
	w := open(t, "employees", "partners")
	atHome, employee := fed(), fed()
	hid, eid := ext(), ext()
	h, e := w.insert(t, "default", atHome, hid), w.insert(t, "employees", employee, eid)
	for name, c := range map[string]struct {
		down  string
		first string
		keys  []identity.Key
		want  string // an id, "" for nobody, "error"
	}{
		"home is down, an employee":              {"", "employees", []identity.Key{employee}, e.ID},
		"home is down, an employee by id":        {"", "", []identity.Key{eid}, e.ID},
		"home is down, unknown":                  {"", "", []identity.Key{fed()}, "error"},
		"partners are down, home":                {"partners", "default", []identity.Key{atHome, hid}, h.ID},
		"partners are down, by id":               {"partners", "", []identity.Key{hid}, h.ID},
		"partners are down, unknown subject":     {"partners", "default", []identity.Key{fed()}, ""},
		"partners are down, unknown id":          {"partners", "", []identity.Key{ext()}, "error"},
		"partners are down, new id of a subject": {"partners", "default", []identity.Key{atHome, ext()}, "error"},
		"employees are down, an employee":        {"employees", "employees", []identity.Key{employee}, "error"},
		"employees are down, pinned there":       {"employees", "default", []identity.Key{employee}, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			w.all()[c.down].down.Store(true)
			defer w.all()[c.down].down.Store(false)
			found, err := w.Look(t.Context(), c.first, c.keys...)
			got := ""
			switch {
			case err != nil && errors.Is(err, store.ErrUnavailable):
				got = "error"
			case len(found.Identities) == 1:
				got = found.Identities[0].ID
			}
			if got != c.want || found.Partial {
				t.Errorf("found %q, error %v, want %q", got, err, c.want)
			}
			if err := w.Ping(t.Context()); err != nil {
				t.Errorf("Ping: %v; there are others", err)
			}
			if _, err := w.List(t.Context(), store.Query{}); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("List: %v, want ErrUnavailable: it would lack somebody", err)
			}
			if _, err := w.Get(t.Context(), uuid.NewString()); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Get of an unknown id: %v, want ErrUnavailable", err)
			}
		})
	}
	for _, f := range w.all() {
		f.down.Store(true)
	}
	if err := w.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping while all are down: %v, want ErrUnavailable", err)
	}
}

// Records and logins of one store are kept while another is down.
func TestRecordWhileOneIsDown(t *testing.T) {
	w := open(t, "employees")
	h, e := w.insert(t, "default", fed()), w.insert(t, "employees", fed())
	record := func(i identity.Identity) identity.Record {
		return identity.Record{ID: uuid.Must(uuid.NewV7()).String(), At: time.Now(), IdentityID: i.ID, Userstore: i.Userstore, Decision: identity.Unchanged}
	}
	nobody := record(identity.Identity{Userstore: "employees"})
	rh, re := record(h), record(e)
	w.home.down.Store(true)
	err := w.Record(t.Context(), []identity.Record{rh, re, nobody}, []store.Touch{
		{ID: h.ID, Userstore: h.Userstore, At: time.Now()}, {ID: e.ID, Userstore: e.Userstore, At: time.Now()},
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Record with home down: %v", err)
	}
	w.home.down.Store(false)
	if _, err := w.places["employees"].Decision(t.Context(), re.ID); err != nil {
		t.Errorf("the record of who is up: %v", err)
	}
	if i, err := w.Get(t.Context(), e.ID); err != nil || i.LastLoginAt.IsZero() {
		t.Errorf("the login of who is up was not noted, %v", err)
	}
	must(t, w.Record(t.Context(), []identity.Record{rh, nobody}, nil))
	for _, r := range []identity.Record{rh, nobody} {
		if _, err := w.home.Decision(t.Context(), r.ID); err != nil {
			t.Errorf("a record of home: %v", err)
		}
	}
}

// The subject is pinned before the identity is there, and what fails in between
// leaves nothing that a second try does not take up.
func TestPinComesFirst(t *testing.T) {
	w := open(t, "employees")
	k := fed()
	w.home.down.Store(true)
	if err := w.Insert(t.Context(), person("employees", k), identity.Record{}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Insert without home: %v", err)
	}
	w.home.down.Store(false)
	if found, err := w.places["employees"].Find(t.Context(), k); err != nil || len(found) != 0 {
		t.Fatalf("without a pin %d identities were made, %v", len(found), err)
	}
	w.places["employees"].down.Store(true)
	if err := w.Insert(t.Context(), person("employees", k), identity.Record{}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Insert without the userstore: %v", err)
	}
	w.places["employees"].down.Store(false)
	var elsewhere *store.ElsewhereError
	if err := w.Insert(t.Context(), person("default", k), identity.Record{}); !errors.As(err, &elsewhere) || elsewhere.Pins[k] != "employees" {
		t.Errorf("Insert at home of a pinned subject: %v", err)
	}
	i := w.insert(t, "employees", k)
	must(t, w.Delete(t.Context(), i.ID, 1, i.RenewedAt, identity.Record{}))
	if err := w.Insert(t.Context(), person("default", k), identity.Record{}); !errors.As(err, &elsewhere) {
		t.Errorf("Insert at home after the deletion elsewhere: %v", err)
	}
}

// First logins of one subject into three stores at once: one identity.
func TestRaceFirstLogin(t *testing.T) {
	w := open(t, "employees", "partners")
	names := []string{"default", "employees", "partners"}
	for range 20 {
		k := fed()
		errs := make([]error, 16)
		var all sync.WaitGroup
		for n := range errs {
			all.Go(func() { errs[n] = w.Insert(context.Background(), person(names[n%3], k), identity.Record{}) })
		}
		all.Wait()
		made := 0
		for _, s := range w.all() {
			found, err := s.Store.Find(t.Context(), k)
			var elsewhere *store.ElsewhereError
			if err != nil && !errors.As(err, &elsewhere) {
				t.Fatal(err)
			}
			made += len(found)
		}
		won := 0
		for _, err := range errs {
			var taken *store.TakenError
			var elsewhere *store.ElsewhereError
			switch {
			case err == nil:
				won++
			case !errors.As(err, &taken) && !errors.As(err, &elsewhere):
				t.Error(err)
			}
		}
		if made != 1 || won != 1 {
			t.Fatalf("%d identities, %d successes, want one of each", made, won)
		}
	}
}

// Pages go through all stores in one order, whatever their sizes.
func TestPages(t *testing.T) {
	w := open(t, "employees", "partners")
	var want, employees []string
	for n := range 23 {
		userstore := []string{"default", "employees", "employees", "partners", "default"}[n%5]
		i := w.insert(t, userstore, fed())
		want = append(want, i.ID)
		if userstore == "employees" {
			employees = append(employees, i.ID)
		}
		must(t, w.Record(t.Context(), []identity.Record{{ID: i.ID, At: time.Now(), IdentityID: i.ID, Userstore: userstore, FlowID: "f", Decision: identity.Created}}, nil))
	}
	for size := 1; size < 25; size++ {
		w.places["employees"].short.Store(size%2 == 0)
		got := pages(t, func(token string) ([]string, string) {
			p, err := w.List(t.Context(), store.Query{PageSize: size, PageToken: token})
			must(t, err)
			return ids(p.Identities, func(i identity.Identity) string { return i.ID }), p.NextPageToken
		})
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d identities, not the %d in order", size, len(got), len(want))
		}
		got = pages(t, func(token string) ([]string, string) {
			p, err := w.Decisions(t.Context(), store.DecisionQuery{FlowID: "f", PageSize: size, PageToken: token})
			must(t, err)
			return ids(p.Records, func(r identity.Record) string { return r.ID }), p.NextPageToken
		})
		slices.Reverse(got)
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d records, not the %d in order", size, len(got), len(want))
		}
	}
	w.places["employees"].short.Store(false)
	w.asked()
	p, err := w.List(t.Context(), store.Query{Userstore: "employees"})
	must(t, err)
	if got := ids(p.Identities, func(i identity.Identity) string { return i.ID }); !slices.Equal(got, employees) {
		t.Errorf("employees: %d, want %d", len(got), len(employees))
	}
	if asked := w.asked(); !maps.Equal(asked, map[string]int64{"employees": 1}) {
		t.Errorf("a list of employees asked %v", asked)
	}
}

// Whoever cannot be read is named once, on the page where they would have been.
func TestPagesOfDamaged(t *testing.T) {
	w := open(t, "employees")
	stores := map[string]*fragile{"default": w.home, "employees": w.places["employees"]}
	var all, damaged []string
	for n := range 12 {
		userstore := []string{"default", "employees", "employees"}[n%3]
		i := w.insert(t, userstore, fed())
		all = append(all, i.ID)
		if n%4 == 1 {
			stores[userstore].damaged = append(stores[userstore].damaged, i.ID)
			damaged = append(damaged, i.ID)
		}
	}
	for size := 1; size < 14; size++ {
		var named []string
		got := pages(t, func(token string) ([]string, string) {
			p, err := w.List(t.Context(), store.Query{PageSize: size, PageToken: token, Damaged: true})
			must(t, err)
			named = append(named, p.Damaged...)
			return append(ids(p.Identities, func(i identity.Identity) string { return i.ID }), p.Damaged...), p.NextPageToken
		})
		slices.Sort(got)
		if !slices.Equal(named, damaged) || !slices.Equal(got, all) {
			t.Errorf("pages of %d: %d, %d of them damaged, want %d and %d", size, len(got), len(named), len(all), len(damaged))
		}
	}
}

func pages(t *testing.T, page func(token string) ([]string, string)) (all []string) {
	for token := ""; ; {
		got, next := page(token)
		all = append(all, got...)
		if next == "" {
			return all
		}
		if next == token {
			t.Fatal("a page repeats")
		}
		token = next
	}
}

func ids[T any](items []T, id func(T) string) []string {
	var out []string
	for _, i := range items {
		out = append(out, id(i))
	}
	return out
}

// An identity that stands in another store than its userstore's is nobody's to
// change, and nobody's not to see.
func TestMisplaced(t *testing.T) {
	w := open(t, "employees")
	i := person("employees", fed())
	must(t, w.home.Store.Insert(t.Context(), i, identity.Record{}))
	_, err := w.Look(t.Context(), "", i.Keys...)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), i.ID) {
		t.Errorf("Look: %v, want the identity named", err)
	}
	var taken *store.TakenError
	if err := w.Insert(t.Context(), person("employees", i.Keys...), identity.Record{}); !errors.As(err, &taken) {
		t.Errorf("Insert of a second one: %v, want a TakenError", err)
	}
}
