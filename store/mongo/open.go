package mongo

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// Options say where the database is and who watches.
type Options struct {
	// URI is a connection string of MongoDB: mongodb://… or mongodb+srv://….
	// Its limits of time and of connections count; its write concern, read
	// concern and read preference do not.
	URI string
	// Database is the database's name. One database is one userstore's, or
	// several logical userstores'.
	Database string
	// Failed, if not nil, is told the operation of every call that fails, unless
	// its caller has broken it off, and of what fails in the background. The names are constants: "insert
	// identity". It must be safe for concurrent use.
	Failed func(operation string)
	// Sent, if not nil, is told the name of every command sent to the server:
	// "find", "insert". ctx is that of the call that sends it, with its values;
	// what runs in the background has those of Open's. It must be safe for
	// concurrent use.
	Sent func(ctx context.Context, command string)
}

// Limits of time, inside the 1.5 s of a login; the URI may say otherwise.
const (
	selectionTimeout = time.Second // to find a primary
	connectTimeout   = time.Second // of a connection, and of a heartbeat
	maxConnecting    = 8           // connections made at once: a burst after a restart
)

// Errors of Open. None shows the URI: it holds a password.
var (
	ErrURI      = errors.New("the MongoDB URI cannot be used: write mongodb://user:password@host:27017/?options or mongodb+srv://…, with special characters in the password percent-encoded")
	ErrDatabase = errors.New(`the MongoDB database's name cannot be used: 1 to 63 bytes without any of /\. "$*<>:|?`)
)

// Open returns the store without waiting for a server: it connects, and makes
// collections and indexes that are missing, in the background and before the
// first use, and tries again with every call until it succeeds. Errors: ErrURI,
// ErrDatabase. (A mongodb+srv address is looked up only on connecting; its
// mistakes show in the calls.)
func Open(ctx context.Context, opts Options) (*Store, error) {
	if !validDatabase(opts.Database) {
		return nil, ErrDatabase
	}
	if err := checkURI(opts.URI); err != nil {
		return nil, err
	}
	s := &Store{opts: opts, move: make(chan string, moveQueue)}
	// The caller's context may end with the start; the store ends with Close.
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.own.Go(s.mover)
	return s, nil
}

func checkURI(uri string) error {
	switch {
	case strings.HasPrefix(uri, "mongodb+srv://"):
		return nil // to parse it would ask the DNS, which may be down
	case strings.HasPrefix(uri, "mongodb://") && options.Client().ApplyURI(uri).Validate() == nil:
		return nil
	}
	return ErrURI
}

// validDatabase holds a name to the strictest of MongoDB's rules ("Naming
// Restrictions" in its manual).
func validDatabase(name string) bool {
	return name != "" && len(name) <= 63 && !strings.ContainsAny(name, "/\\. \"$*<>:|?\x00")
}

// clientOptions are the defaults, then the URI, then what the contract demands.
func clientOptions(opts Options) *options.ClientOptions {
	c := options.Client().
		SetAppName("jithook").
		SetServerSelectionTimeout(selectionTimeout).
		SetConnectTimeout(connectTimeout).
		SetMaxConnecting(maxConnecting).
		SetMinPoolSize(1).
		ApplyURI(opts.URI)
	journal := true
	c.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	// What a login rests on must not be rolled back: a majority's, and from the
	// primary, where writes are decided.
	c.SetReadConcern(readconcern.Majority())
	c.SetReadPreference(readpref.Primary())
	// An empty list is stored as one, a missing one as well.
	c.SetBSONOptions(&options.BSONOptions{NilSliceAsEmpty: true})
	if opts.Sent != nil {
		c.SetMonitor(&event.CommandMonitor{Started: func(ctx context.Context, e *event.CommandStartedEvent) {
			opts.Sent(ctx, e.CommandName)
		}})
	}
	return c
}

// connect makes the client. It does not wait for a server.
func connect(opts Options) (*driver.Client, error) {
	client, err := driver.Connect(clientOptions(opts))
	if err != nil {
		return nil, errConnect
	}
	return client, nil
}

const errConnect = fault("cannot use the URI: check its options, and for mongodb+srv that the DNS answers")
