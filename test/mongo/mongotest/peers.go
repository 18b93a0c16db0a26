//go:build unix

// Package mongotest runs a MongoDB-compatible server for tests: by default
// FerretDB 2 over PostgreSQL with the DocumentDB extension, from the cache that
// test/mongo/peers.sh fills, or whatever server URIEnv names. It owns the
// processes, their data and the databases that tests make; it must not know what
// jithook stores in them.
package mongotest

import (
	"os"
	"testing"

	"github.com/jithook/jithook/test/peers"
)

// URIEnv names the environment variable with the URI of a server for tests. It
// is used in place of the peer, and no test starts or stops it. Databases on it
// are named jithook_test_… and dropped again.
const URIEnv = "JITHOOK_TEST_MONGODB_URI"

// Peers says what the tests run on: a server that is there (URI), or else the
// parts of one.
type Peers struct {
	URI      string // what URIEnv holds; it may hold a password
	Root     string // the system with PostgreSQL and DocumentDB, see rootfs.sh
	FerretDB string // the executable
	Folder   string // test/mongo of this checkout
}

// Require returns the peers. Without them it skips the test and names the make
// target that builds them, or fails it where peers.RequireEnv lists mongo.
func Require(t testing.TB) Peers {
	t.Helper()
	if uri := os.Getenv(URIEnv); uri != "" {
		return Peers{URI: uri}
	}
	folder, where, err := peers.Where(t.Context(), "mongo", "root", "ferretdb")
	if err != nil {
		peers.Missing(t, "mongo", "no MongoDB for tests: run `make mongo` (root on Debian), or set "+URIEnv, err)
	}
	return Peers{Root: where["root"], FerretDB: where["ferretdb"], Folder: folder}
}
