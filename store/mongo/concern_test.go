//go:build unix

package mongo_test

// What a login rests on survives an election: seen on the wire, since the
// server of most tests has nobody to ask. And a server that does not keep two
// people apart is not used.

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/faultproxy"
)

// wire keeps what a client says.
type wire struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(p)
}

// take returns what was said since the last time.
func (w *wire) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := bytes.Clone(w.said.Bytes())
	w.said.Reset()
	return out
}

// element is a document's element as bytes, as they stand in a message.
func element(t *testing.T, name string, value any) []byte {
	t.Helper()
	doc, err := bson.Marshal(bson.D{{Key: name, Value: value}})
	must(t, err)
	return doc[4 : len(doc)-1]
}

func TestConcerns(t *testing.T) {
	srv := peer.Server(t)
	d := doorTo(t, srv)
	var wire wire
	d.listen(func(c net.Conn) {
		to, err := net.Dial("tcp", d.server)
		if err != nil {
			_ = c.Close()
			return
		}
		d.keep(to)
		go func() { _, _ = io.Copy(io.MultiWriter(&wire, to), c); _ = to.Close() }()
		_, _ = io.Copy(c, to)
		_ = c.Close()
	})
	// What the URI says of this does not count.
	uri := d.uri() + "?directConnection=true&w=1&journal=false&readConcernLevel=local&readPreference=secondaryPreferred"
	s := open(t, uri, srv.Database(t))
	i := newIdentity(1)
	insert(t, s, i)
	if _, err := s.Find(t.Context(), i.Keys...); err != nil {
		t.Fatal(err)
	}

	durable := element(t, "writeConcern", bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}})
	lasting := element(t, "readConcern", bson.D{{Key: "level", Value: "majority"}})
	latest := element(t, "readConcern", bson.D{{Key: "level", Value: "linearizable"}})
	said := wire.take()
	for what, weak := range map[string][]byte{
		"w: 1": element(t, "w", int32(1)), "j: false": element(t, "j", false), "level: local": element(t, "level", "local"),
	} {
		if bytes.Contains(said, weak) {
			t.Errorf("the store asked for %s", what)
		}
	}
	for what, want := range map[string][]byte{"writes for a majority and the journal": durable, "reads of a majority": lasting} {
		if !bytes.Contains(said, want) {
			t.Errorf("the store did not ask for %s", what)
		}
	}
	thief := newIdentity(0)
	thief.Keys = i.Keys
	if err := s.Insert(t.Context(), thief, newRecord(thief)); err == nil {
		t.Fatal("the key was given twice")
	}
	if !bytes.Contains(wire.take(), latest) {
		t.Error("a duplicate key was not read back from the latest state")
	}
}

// Two proxies in front of the server say that they are a replica set's primary
// and its secondary; both would answer. The URI asks for the secondary.
func TestReadsGoToThePrimary(t *testing.T) {
	srv := peer.Server(t)
	primary, secondary := faultproxy.Start(t, srv.URI), faultproxy.Start(t, srv.URI)
	addresses := []string{address(t, primary), address(t, secondary)}
	for n, p := range []*faultproxy.Proxy{primary, secondary} {
		member := faultproxy.Change(func(real bson.D) bson.D {
			said := slices.DeleteFunc(real, func(e bson.E) bool {
				return slices.Contains([]string{"ismaster", "isWritablePrimary", "topologyVersion"}, e.Key)
			})
			return append(said, bson.E{Key: "setName", Value: "set"}, bson.E{Key: "hosts", Value: addresses},
				bson.E{Key: "primary", Value: addresses[0]}, bson.E{Key: "me", Value: addresses[n]},
				bson.E{Key: "ismaster", Value: n == 0}, bson.E{Key: "isWritablePrimary", Value: n == 0}, bson.E{Key: "secondary", Value: n == 1})
		})
		for _, hello := range []string{"hello", "isMaster", "ismaster"} {
			p.On(faultproxy.Match{Command: hello}, member)
		}
	}
	asked, ignored := primary.Watch(), secondary.Watch()
	uri := strings.Replace(primary.URI, addresses[0], strings.Join(addresses, ","), 1)
	uri = strings.Replace(uri, "directConnection=true", "replicaSet=set&retryWrites=false&readPreference=secondary", 1)
	s := open(t, uri, srv.Database(t))
	i := newIdentity(1)
	insert(t, s, i)
	for range 10 {
		if found, err := s.Find(t.Context(), i.Keys...); err != nil || len(found) != 1 {
			t.Fatalf("found %d, %v", len(found), err)
		}
	}
	if n := len(slices.DeleteFunc(asked(), func(c string) bool { return c != "find identities" })); n < 10 {
		t.Errorf("the primary was asked %d times", n)
	}
	if said := ignored(); len(said) > 0 {
		t.Errorf("the secondary was asked: %q", said)
	}
}

// address is where a proxy listens.
func address(t *testing.T, p *faultproxy.Proxy) string {
	t.Helper()
	u, err := url.Parse(p.URI)
	must(t, err)
	return u.Host
}

// Where nobody else can be asked, the server's own latest state counts.
func TestReadBackWhereLinearizableIsRefused(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	for _, code := range []int32{20, 72, 123} {
		i := newIdentity(1)
		r := newRecord(i)
		w.proxy.On(faultproxy.Match{Command: "insert", Collection: "identities", Nth: 1}, faultproxy.Answer(commandError(1), true))
		w.proxy.On(faultproxy.Match{Command: "find", Collection: "identities", Nth: 1}, faultproxy.Answer(commandError(code), false))
		must(t, w.store.Insert(impatient(t, recovery), i, r))
		w.proxy.Heal()
		w.wantDone(t, "Insert", i, r)
	}
}

// FerretDB 1 takes a unique index over a list and does not enforce it.
func TestServerThatDoesNotEnforceUniqueLists(t *testing.T) {
	srv := peer.Server(t)
	proxy := faultproxy.Start(t, srv.URI)
	proxy.On(faultproxy.Match{Command: "insert", Collection: "probe"},
		faultproxy.Answer(bson.D{{Key: "n", Value: int32(1)}, {Key: "ok", Value: 1.0}}, false))
	s := openWith(t, mongo.Options{URI: proxy.URI, Database: srv.Database(t)})
	for range 2 {
		wantFailure(t, s.Ping(t.Context()), "does not enforce a unique index over a list")
	}
	i := newIdentity(1)
	wantFailure(t, s.Insert(t.Context(), i, newRecord(i)), "does not enforce")
	proxy.Heal()
	must(t, s.Ping(t.Context()))
}
