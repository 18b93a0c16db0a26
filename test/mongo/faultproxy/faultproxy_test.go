//go:build unix

// These tests prove, with the driver and a real server, that each fault does what
// its name says to the one command that it was set for: what the client sees, and
// what the server holds afterwards.
package faultproxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// short is a client's patience where the answer never comes, or comes late.
const short = 150 * time.Millisecond

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// await waits for a rule's channel.
func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("not %s after %v", what, patience)
	}
}

// world is a collection, through a proxy and straight.
type world struct {
	proxy         *faultproxy.Proxy
	faulty, plain *mongo.Collection
}

func newWorld(t *testing.T, opts *options.ClientOptions) world {
	t.Helper()
	s := peer.Server(t)
	p := faultproxy.Start(t, s.URI)
	// The driver must not try again by itself: that would hide the fault.
	client, err := mongo.Connect(options.Client().ApplyURI(p.URI).SetRetryReads(false).SetRetryWrites(false), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	db := s.Database(t)
	w := world{proxy: p, faulty: client.Database(db).Collection("c"), plain: s.Client(t).Database(db).Collection("c")}
	w.insert(t, w.faulty, "first") // makes collection and connection
	return w
}

func (w world) insert(t *testing.T, c *mongo.Collection, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
		t.Fatalf("insert %s: %v", id, err)
	}
}

func (w world) has(t *testing.T, id string) bool {
	t.Helper()
	n, err := w.plain.CountDocuments(t.Context(), bson.D{{Key: "_id", Value: id}})
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}

// What a client may see.
func fine(err error) bool { return err == nil }

func network(err error) bool { return mongo.IsNetworkError(err) && !mongo.IsTimeout(err) }

func command(code int32) func(error) bool {
	return func(err error) bool {
		var e mongo.CommandError
		return errors.As(err, &e) && e.Code == code
	}
}

func concern(code int) func(error) bool {
	return func(err error) bool {
		var e mongo.WriteException
		return errors.As(err, &e) && e.WriteConcernError != nil && e.WriteConcernError.Code == code && len(e.WriteErrors) == 0
	}
}

// TestFaults: the second of three inserts is hit, and the others are not.
func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		fault   faultproxy.Fault
		sees    func(error) bool
		stored  bool
		atLeast time.Duration
	}{
		"delay":                         {faultproxy.Delay(short / 3), fine, true, short / 3},
		"delay the reply":               {faultproxy.DelayReply(short / 3), fine, true, short / 3},
		"delay beyond patience":         {faultproxy.Delay(2 * short), mongo.IsTimeout, true, short},
		"delay the reply beyond it":     {faultproxy.DelayReply(2 * short), mongo.IsTimeout, true, short},
		"cut":                           {faultproxy.Cut(), network, false, 0},
		"drop the reply":                {faultproxy.DropReply(), network, true, 0},
		"hang":                          {faultproxy.Hang(), mongo.IsTimeout, false, short},
		"hang the reply":                {faultproxy.HangReply(), mongo.IsTimeout, true, short},
		"not primary, not done":         {faultproxy.NotWritablePrimary(false), command(10107), false, 0},
		"not primary, done":             {faultproxy.NotWritablePrimary(true), command(10107), true, 0},
		"write concern, rolled back":    {faultproxy.WriteConcernError(64, false), concern(64), false, 0},
		"write concern, done":           {faultproxy.WriteConcernError(91, true), concern(91), true, 0},
		"another answer, not forwarded": {faultproxy.Answer(bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 11600}}, false), command(11600), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			rule := w.proxy.On(faultproxy.Match{Command: "insert", Nth: 2}, tc.fault)
			w.insert(t, w.faulty, "before")

			limit := patience // of who is not to lose theirs
			if tc.atLeast >= short {
				limit = short
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			_, err := w.faulty.InsertOne(ctx, bson.D{{Key: "_id", Value: "hit"}})
			if took := time.Since(began); took < tc.atLeast {
				t.Errorf("took %v, want at least %v", took, tc.atLeast)
			}
			if !tc.sees(err) {
				t.Errorf("the client saw %v", err)
			}
			await(t, "arrived", rule.Arrived())
			if tc.stored {
				await(t, "served", rule.Served())
			}
			if got := w.has(t, "hit"); got != tc.stored {
				t.Errorf("stored: %v, want %v", got, tc.stored)
			}
			w.insert(t, w.faulty, "after") // the same client goes on
			if !w.has(t, "before") || !w.has(t, "after") {
				t.Error("the inserts before and after are not there")
			}
		})
	}
}

// TestMatch: commands are told apart by name and collection, and a rule counts
// its own.
func TestMatch(t *testing.T) {
	id := bson.D{{Key: "_id", Value: "first"}}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: 1}}}}
	calls := map[string]func(context.Context, *mongo.Collection) error{
		"insert": func(ctx context.Context, c *mongo.Collection) error {
			_, err := c.InsertOne(ctx, bson.D{{Key: "n", Value: 1}})
			return err
		},
		"find":   func(ctx context.Context, c *mongo.Collection) error { return c.FindOne(ctx, bson.D{}).Err() },
		"update": func(ctx context.Context, c *mongo.Collection) error { _, err := c.UpdateOne(ctx, id, set); return err },
		"findAndModify": func(ctx context.Context, c *mongo.Collection) error {
			return c.FindOneAndUpdate(ctx, id, set).Err()
		},
		"delete": func(ctx context.Context, c *mongo.Collection) error {
			_, err := c.DeleteOne(ctx, bson.D{{Key: "_id", Value: "nobody"}})
			return err
		},
	}
	for hit := range calls {
		t.Run(hit, func(t *testing.T) {
			w := newWorld(t, nil)
			other := w.faulty.Database().Collection("other")
			w.insert(t, other, "first")
			w.proxy.On(faultproxy.Match{Command: hit, Collection: "c"}, faultproxy.NotWritablePrimary(false))
			for name, call := range calls {
				for range 2 { // Nth 0 is each
					if got := command(10107)(call(t.Context(), w.faulty)); got != (name == hit) {
						t.Errorf("%s of c: hit %v", name, got)
					}
				}
				if err := call(t.Context(), other); err != nil {
					t.Errorf("%s of another collection: %v", name, err)
				}
			}
			w.proxy.Heal()
			if err := calls[hit](t.Context(), w.faulty); err != nil {
				t.Errorf("healed: %v", err)
			}
		})
	}
}

// TestHolds: commands are told apart by a text that they hold.
func TestHolds(t *testing.T) {
	w := newWorld(t, nil)
	w.proxy.On(faultproxy.Match{Command: "insert", Holds: "second"}, faultproxy.NotWritablePrimary(false))
	for id, hit := range map[string]bool{"second": true, "third": false} {
		_, err := w.faulty.InsertOne(t.Context(), bson.D{{Key: "_id", Value: id}})
		if command(10107)(err) != hit {
			t.Errorf("insert of %s: %v, hit %v", id, err, hit)
		}
	}
}

// TestWatch: every command about a collection is noted, in its order, whatever
// becomes of it.
func TestWatch(t *testing.T) {
	w := newWorld(t, nil)
	stop := w.proxy.Watch()
	w.proxy.On(faultproxy.Match{Command: "insert"}, faultproxy.NotWritablePrimary(false))
	if _, err := w.faulty.InsertOne(t.Context(), bson.D{}); err == nil {
		t.Error("the insert was not hit")
	}
	_ = w.faulty.Database().Client().Ping(t.Context(), nil)
	_ = w.faulty.FindOne(t.Context(), bson.D{}).Err()
	want := []string{"insert c", "find c"}
	if got := stop(); !slices.Equal(got, want) {
		t.Errorf("seen %q, want %q", got, want)
	}
	_ = w.faulty.FindOne(t.Context(), bson.D{}).Err()
	if got := stop(); !slices.Equal(got, want) {
		t.Errorf("afterwards %q, want %q", got, want)
	}
}

// TestAny: each command of a client is hit, and its questions after the server
// are not: it asks again after such an error, and would find no server at all.
func TestAny(t *testing.T) {
	w := newWorld(t, options.Client().SetServerSelectionTimeout(patience))
	w.proxy.On(faultproxy.Match{Command: faultproxy.Any}, faultproxy.NotWritablePrimary(false))
	for range 2 {
		if _, err := w.faulty.InsertOne(t.Context(), bson.D{}); !command(10107)(err) {
			t.Errorf("insert: %v", err)
		}
		if err := w.faulty.FindOne(t.Context(), bson.D{}).Err(); !command(10107)(err) {
			t.Errorf("find: %v", err)
		}
	}
}

// TestLateWrite: what was on its way arrives, though nobody waits for it any more.
func TestLateWrite(t *testing.T) {
	if peer.Server(t).Real {
		t.Skip("speaks to the server without signing in: runs on the peer")
	}
	w := newWorld(t, nil)
	rule := w.proxy.On(faultproxy.Match{Command: "insert", Nth: 1}, faultproxy.Delay(short))
	client, err := net.Dial("tcp", address(w.proxy))
	if err != nil {
		t.Fatal(err)
	}
	insert := bson.D{{Key: "insert", Value: "c"}, {Key: "$db", Value: w.plain.Database().Name()},
		{Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: "late"}}}}}
	if _, err := client.Write(frame(2013, number(0), body(t, insert))); err != nil {
		t.Fatal(err)
	}
	await(t, "arrived", rule.Arrived())
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "served", rule.Served())
	if !w.has(t, "late") {
		t.Error("not stored")
	}
}

// address is where a proxy listens.
func address(p *faultproxy.Proxy) string {
	addr, _, _ := strings.Cut(strings.TrimPrefix(p.URI, "mongodb://"), "/")
	return addr[strings.LastIndexByte(addr, '@')+1:]
}

// TestDownAndUp: a client notices, and finds the server again by itself.
func TestDownAndUp(t *testing.T) {
	// Longer than the driver waits until it asks again after the server.
	w := newWorld(t, options.Client().SetServerSelectionTimeout(800*time.Millisecond))
	w.proxy.Down()
	for i := range 3 { // the first one finds its connection cut, the others make new ones
		if _, err := w.faulty.InsertOne(t.Context(), bson.D{{Key: "_id", Value: fmt.Sprint("down ", i)}}); err == nil {
			t.Error("a server that is down took a write")
		}
	}
	w.proxy.Up()
	until := time.Now().Add(20 * time.Second)
	for {
		_, err := w.faulty.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "up"}})
		if err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("still down: %v", err)
		}
	}
	if !w.has(t, "up") {
		t.Error("not stored")
	}
}

// TestUnacknowledged: a client that waits for no reply gets none, or it would
// take it for the next command's.
func TestUnacknowledged(t *testing.T) {
	w := newWorld(t, options.Client().SetMaxPoolSize(1))
	rule := w.proxy.On(faultproxy.Match{Command: "insert", Nth: 1}, faultproxy.NotWritablePrimary(false))
	c := w.faulty.Database().Collection("c", options.Collection().SetWriteConcern(writeconcern.Unacknowledged()))
	if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "u"}}); err != nil {
		t.Fatal(err)
	}
	await(t, "arrived", rule.Arrived())
	if err := w.faulty.FindOne(t.Context(), bson.D{{Key: "_id", Value: "first"}}).Err(); err != nil {
		t.Errorf("the next command: %v", err)
	}
	if w.has(t, "u") {
		t.Error("stored")
	}
}

// TestCompression: the server does not hear of a client that would compress, or
// the proxy could read nothing of what follows.
func TestCompression(t *testing.T) {
	s := peer.Server(t)
	if s.Real {
		t.Skip("looks at the bytes, so it needs a server without TLS: runs on the peer")
	}
	heard := make(chan byte, 1<<20)
	p := faultproxy.Start(t, "mongodb://"+listenIn(t, strings.Trim(strings.TrimPrefix(s.URI, "mongodb://"), "/"), heard)+"/")
	client, err := mongo.Connect(options.Client().ApplyURI(p.URI).SetCompressors([]string{"zlib"}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	if err := client.Ping(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for len(heard) > 0 {
		all = append(all, <-heard)
	}
	if !bytes.Contains(all, []byte("isMaster")) && !bytes.Contains(all, []byte("hello")) {
		t.Error("no greeting: this test would see nothing")
	}
	if bytes.Contains(all, []byte("zlib")) {
		t.Error("compression was offered")
	}
}

// listenIn relays to a server and keeps what clients send. It returns its address.
func listenIn(t *testing.T, server string, heard chan<- byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(client, upstream); _ = client.Close() }()
			go func() { _, _ = io.Copy(upstream, io.TeeReader(client, into(heard))); _ = upstream.Close() }()
		}
	}()
	return l.Addr().String()
}

// into keeps bytes as long as there is room.
type into chan<- byte

func (c into) Write(b []byte) (int, error) {
	for _, one := range b {
		select {
		case c <- one:
		default:
		}
	}
	return len(b), nil
}

// ending stands for a test whose end this one brings about.
type ending struct {
	testing.TB
	atEnd  []func()
	errors []string
}

func (e *ending) Cleanup(f func()) { e.atEnd = append(e.atEnd, f) }
func (e *ending) Errorf(format string, args ...any) {
	e.errors = append(e.errors, fmt.Sprintf(format, args...))
}

// TestReportsWhatItCannotRead: a rule that silently never fires would make a
// fault test pass for nothing.
func TestReportsWhatItCannotRead(t *testing.T) {
	e := &ending{TB: t}
	p := faultproxy.Start(e, peer.Server(t).URI)
	client, err := net.Dial("tcp", address(p))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write(frame(2012, number(2013))); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(client); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("closed with %v", err)
	}
	for _, f := range e.atEnd {
		f()
	}
	if len(e.errors) != 1 || !strings.Contains(e.errors[0], "compressed") {
		t.Errorf("reported %q", e.errors)
	}
}
