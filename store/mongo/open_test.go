//go:build unix

package mongo_test

// A server that is down, slow or wrong stops nobody from starting: calls fail
// within their time and say why, and succeed as soon as it is right.

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

func TestOptions(t *testing.T) {
	for _, uri := range []string{
		"", "localhost", "http://localhost", "mongodb://", "mongodb://u:geheim@", "mongodb://u:ge/heim@host/",
		"mongodb://host:99999/", "mongodb://host/?tls=geheim", "mongodb://u:geheim@host/?authMechanism=none-such",
	} {
		_, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: "jithook"})
		if !errors.Is(err, mongo.ErrURI) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("Open of %q: %v, want ErrURI without the password", uri, err)
		}
	}
	for _, name := range []string{"", "a.b", "a/b", "a b", "$a", "a\x00", strings.Repeat("a", 64)} {
		_, err := mongo.Open(t.Context(), mongo.Options{URI: "mongodb://localhost/", Database: name})
		if !errors.Is(err, mongo.ErrDatabase) {
			t.Errorf("Open of database %q: %v, want ErrDatabase", name, err)
		}
	}
}

// door is an address behind which a server comes and goes. Shut, it refuses
// connections; stuck, it takes them and never answers.
type door struct {
	t      *testing.T
	addr   string
	server string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

// newDoor returns a door that is shut.
func newDoor(t *testing.T, server string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d := &door{t: t, addr: l.Addr().String(), server: server, listener: l}
	d.shut()
	t.Cleanup(d.shut)
	return d
}

func (d *door) uri() string { return "mongodb://" + d.addr + "/" }

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.listener.Close()
	for _, c := range d.conns {
		_ = c.Close()
	}
	d.conns = nil
}

func (d *door) open()  { d.listen(d.forward) }
func (d *door) stuck() { d.listen(func(net.Conn) {}) }

func (d *door) listen(serve func(net.Conn)) {
	d.t.Helper()
	d.shut()
	l, err := net.Listen("tcp", d.addr)
	must(d.t, err)
	d.mu.Lock()
	d.listener = l
	d.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.keep(c)
			go serve(c)
		}
	}()
}

func (d *door) keep(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c)
}

func (d *door) forward(c net.Conn) {
	to, err := net.Dial("tcp", d.server)
	if err != nil {
		_ = c.Close()
		return
	}
	d.keep(to)
	go func() { _, _ = io.Copy(to, c); _ = to.Close() }()
	_, _ = io.Copy(c, to)
	_ = c.Close()
}

// doorTo returns a door to the server; where the server is a real one, its
// replica set's members would be reached past the door.
func doorTo(t *testing.T, s *mongotest.Server) *door {
	t.Helper()
	if s.Real {
		t.Skip("a driver goes to the members that a real server names, past this test's door")
	}
	u, err := url.Parse(s.URI)
	must(t, err)
	return newDoor(t, u.Host)
}

// within fails the test if fn takes longer.
func within(t *testing.T, limit time.Duration, fn func()) {
	t.Helper()
	start := time.Now()
	fn()
	if took := time.Since(start); took > limit {
		t.Errorf("took %v, want at most %v", took, limit)
	}
}

// login is the time that a login has, and slack what a busy machine may add.
const (
	login = 1500 * time.Millisecond
	slack = 500 * time.Millisecond
)

// A caller who has gone is no failure of the store; one whose time ran out may be.
func TestFailuresThatAreTold(t *testing.T) {
	var told sync.Map
	s := openWith(t, mongo.Options{
		URI: "mongodb://127.0.0.1:1", Database: "jithook_test_nobody", Failed: func(op string) { told.Store(op, true) },
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if _, err := s.Get(gone, "i"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Find(late, identity.FedKey("https://idp.example", "s")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Find: %v", err)
	}
	if _, is := told.Load("get identity"); is {
		t.Error("a caller who has gone counts as a failure")
	}
	if _, is := told.Load("find identities"); !is {
		t.Error("a call that had no time does not count as a failure")
	}
}

func TestServerDownAtStartAndMidRun(t *testing.T) {
	srv := peer.Server(t)
	d := doorTo(t, srv)
	var failed sync.Map
	s := openWith(t, mongo.Options{
		URI: d.uri(), Database: srv.Database(t), Failed: func(op string) { failed.Store(op, true) },
	})
	i := newIdentity(1)
	down := func(what string) {
		t.Helper()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), login)
			within(t, login+slack, func() {
				_, err := s.Find(ctx, i.Keys...)
				wantFailure(t, err, "check that a primary runs", d.addr)
			})
			cancel()
		}
		within(t, time.Second+slack, func() { // one second is enough to know, for whoever has more
			wantFailure(t, s.Ping(t.Context()), "check that a primary runs")
		})
		if _, told := failed.Load("find identities"); !told {
			t.Errorf("%s: Failed was not told", what)
		}
		failed.Clear()
	}
	up := func(what string) {
		t.Helper()
		// The driver learns by itself that the server is back; a login may
		// still meet the moment before.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for {
			err := s.Ping(ctx)
			if err == nil {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("%s: not recovered: %v", what, err)
			}
		}
	}
	down("at start")
	d.open()
	up("after the start")
	insert(t, s, i)
	d.shut()
	down("mid-run")
	d.stuck()
	ctx, cancel := context.WithTimeout(t.Context(), login)
	defer cancel()
	within(t, login+slack, func() {
		other := newIdentity(1)
		wantFailure(t, s.Insert(ctx, other, newRecord(other)), "insert identity")
	})
	d.open()
	up("after a while")
	if found, err := s.Find(t.Context(), i.Keys...); err != nil || len(found) != 1 {
		t.Errorf("Find after it all = %d identities, %v, want 1", len(found), err)
	}
}

// A server that never answers is given up in time, also by who has no deadline
// of his own before Close.
func TestServerHangs(t *testing.T) {
	d := newDoor(t, "")
	d.stuck()
	s := openWith(t, mongo.Options{URI: d.uri(), Database: "jithook"})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	within(t, 200*time.Millisecond+slack, func() {
		err := s.Ping(ctx)
		wantFailure(t, err, "ping")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want the context's", err)
		}
	})
	within(t, 2*time.Second, func() { must(t, s.Close()) })
}

func TestReplicasSetUpTogether(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	var all sync.WaitGroup
	for range 8 {
		s := open(t, srv.URI, at)
		all.Go(func() {
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var found []bson.M
	cursor, err := behind(t, srv, at).Collection("identities").Indexes().List(t.Context())
	must(t, err)
	must(t, cursor.All(t.Context(), &found))
	unique := 0
	for _, index := range found {
		if index["name"] == "keys" && index["unique"] == true {
			unique++
		}
	}
	if len(found) != 7 || unique != 1 {
		t.Errorf("indexes = %v, want seven, of which keys is unique", found)
	}
}

// What would let two people have one account, or lose what a newer jithook
// wrote, is refused until somebody mends it; then the same store goes on.
func TestRefusedDatabases(t *testing.T) {
	srv := peer.Server(t)
	for name, c := range map[string]struct {
		spoil, mend func(context.Context, *driver.Database) error
		says        string
	}{
		"of a newer jithook": {
			spoil: func(ctx context.Context, db *driver.Database) error {
				_, err := db.Collection("meta").InsertOne(ctx, bson.M{"_id": "schema", "version": 2})
				return err
			},
			mend: func(ctx context.Context, db *driver.Database) error {
				_, err := db.Collection("meta").UpdateByID(ctx, "schema", bson.M{"$set": bson.M{"version": 1}})
				return err
			},
			says: "newer jithook",
		},
		"with one key twice": {
			spoil: func(ctx context.Context, db *driver.Database) error {
				_, err := db.Collection("identities").InsertMany(ctx, bson.A{
					bson.M{"_id": "a", "keys": bson.A{"fed:geheim"}}, bson.M{"_id": "b", "keys": bson.A{"fed:geheim"}},
				})
				return err
			},
			mend: func(ctx context.Context, db *driver.Database) error {
				_, err := db.Collection("identities").DeleteOne(ctx, bson.M{"_id": "b"})
				return err
			},
			says: "cannot make the indexes of identities",
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := srv.Database(t)
			db := behind(t, srv, at)
			must(t, c.spoil(t.Context(), db))
			s := open(t, srv.URI, at)
			for range 2 {
				wantFailure(t, s.Ping(t.Context()), c.says, "geheim")
			}
			i := newIdentity(1)
			wantFailure(t, s.Insert(t.Context(), i, newRecord(i)), c.says)
			must(t, c.mend(t.Context(), db))
			must(t, s.Ping(t.Context()))
		})
	}
}

// Calls under way finish, and what they acknowledged is there; later calls
// fail and say why.
func TestClose(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	s := open(t, srv.URI, at)
	var mu sync.Mutex
	var acknowledged []string
	var all sync.WaitGroup
	started := make(chan struct{}, 1000)
	for range 8 {
		all.Go(func() {
			for {
				i := newIdentity(1)
				if err := s.Insert(context.Background(), i, newRecord(i)); err != nil {
					wantFailure(t, err, "closed")
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, i.ID)
				mu.Unlock()
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	<-started
	must(t, s.Close())
	must(t, s.Close())
	all.Wait()
	wantFailure(t, s.Ping(t.Context()), "closed")
	again := open(t, srv.URI, at)
	for _, id := range acknowledged {
		if _, err := again.Get(t.Context(), id); err != nil {
			t.Errorf("acknowledged before Close: %v", err)
		}
	}
	page, err := again.Decisions(t.Context(), store.DecisionQuery{PageSize: store.MaxPageSize})
	must(t, err)
	if want := min(len(acknowledged), store.MaxPageSize); len(page.Records) != want {
		t.Errorf("%d records, want one for each of the %d inserts", len(page.Records), want)
	}
}
