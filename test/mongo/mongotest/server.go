//go:build unix

package mongotest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// startLimit bounds how long a server may take until it answers, callLimit what
// this package itself asks of it.
const (
	startLimit = 60 * time.Second
	callLimit  = 20 * time.Second
)

// Server is a running server.
type Server struct {
	// URI is where a client finds it. Of the peer it holds no password; of a
	// server that URIEnv names it may: it belongs in no log.
	URI string
	// Real reports whether it is MongoDB itself. The peer is not, nor is another
	// FerretDB: mind what it cannot do (transactions, collation, a secondary
	// unique index under more than 16 writers at once).
	Real bool
	// About is the server's kind and version, for people.
	About string

	peer *peer // nil where URIEnv names the server
}

// Start starts a server that ends with the test; with URIEnv it returns that
// one. Tests that need not stop it share one, see Shared.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := open(Require(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && s.peer != nil {
			t.Log(s.peer.logs())
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("this test runs on %s", s.About)
	return s
}

// open returns a server that answers.
func open(where Peers) (_ *Server, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	s := &Server{URI: where.URI}
	if where.URI == "" {
		if s.peer, err = newPeer(where); err != nil {
			return nil, err
		}
		if err := s.peer.start(ctx); err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.URI = s.peer.uri()
	}
	if err := s.identify(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// identify waits for the server's first answer and keeps what it says it is.
func (s *Server) identify(ctx context.Context) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	var info struct {
		Version  string `bson:"version"`
		FerretDB struct {
			Version string `bson:"version"`
		} `bson:"ferretdb"`
	}
	for {
		err = client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info)
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			// Not the driver's text: it may quote the URI.
			return fmt.Errorf("%s did not answer within %v", s.source(), startLimit)
		case <-time.After(20 * time.Millisecond): // a poll with a deadline
		}
	}
	s.Real = info.FerretDB.Version == ""
	s.About = "MongoDB " + info.Version + ", " + s.source()
	if !s.Real {
		s.About = "FerretDB " + info.FerretDB.Version + " (says it is MongoDB " + info.Version + "), " + s.source()
	}
	return nil
}

func (s *Server) source() string {
	if s.peer == nil {
		return "the server that " + URIEnv + " names"
	}
	return "the peer of make mongo"
}

func (s *Server) connect() (*mongo.Client, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(s.URI).SetServerSelectionTimeout(callLimit))
	if err != nil {
		return nil, fmt.Errorf("%s: the driver refuses its URI", s.source())
	}
	return client, nil
}

// Client returns a client that is closed with the test.
func (s *Server) Client(t testing.TB) *mongo.Client {
	t.Helper()
	client, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Errorf("close a client of %s: %v", s.source(), err)
		}
	})
	return client
}

// Database returns the name of a database that no other test has, and drops it
// with the test.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "jithook_test_" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		if s.peer != nil && !s.peer.running() {
			return // its data goes with it
		}
		ctx, cancel := context.WithTimeout(context.Background(), callLimit)
		defer cancel()
		client, err := s.connect()
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Disconnect(context.WithoutCancel(ctx))
		if err := client.Database(name).Drop(ctx); err != nil {
			t.Errorf("drop %s at %s: %v", name, s.source(), err)
		}
	})
	return name
}

// Kill ends the server like a power cut (SIGKILL for each of its processes) and
// returns when nothing of it runs. A write that it acknowledged is there after
// Restart. It skips the test where URIEnv names the server.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.own(t, "kill")
	if err := s.peer.kill(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server in good order. It skips the test where URIEnv names the
// server.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.own(t, "stop")
	if err := s.peer.stop(); err != nil {
		t.Fatal(err)
	}
}

// Restart starts a killed or stopped server at the same address with the same
// data, and returns when it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.own(t, "restart")
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	if err := s.peer.start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.identify(ctx); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) own(t testing.TB, what string) {
	t.Helper()
	if s.peer == nil {
		t.Skipf("this test would %s the server that %s names: it runs on the peer only", what, URIEnv)
	}
}

// close ends the server, if it is ours, and removes its data.
func (s *Server) close() error {
	if s.peer == nil {
		return nil
	}
	return errors.Join(s.peer.kill(), s.peer.remove())
}
