//go:build unix

// Package kratostest runs a real Ory Kratos and a real OpenID provider for
// tests, and signs people in without a browser through the redirects, forms and
// cookies that a browser would see.
//
// It owns the processes, Kratos's configuration around what a test brings, and
// the driver. It must not know jithook: a test hands it the hooks, or the
// document that `jithook kratos config -o json` prints, as Kratos's own
// structure. Nothing is shared between tests: every Start makes processes, ports
// and files of its own, and all of it ends with the test.
package kratostest

import (
	"testing"

	"github.com/jithook/jithook/test/peers"
)

// Peers says where the programs are that test/kratos/peers.sh built.
type Peers struct {
	Kratos    string // the executable
	KratosDB  string // an empty SQLite file with Kratos's tables
	OPModules string // node_modules of the OpenID provider
	Source    string // the folder test/kratos of this checkout
}

// Require returns the peers. Without them it skips the test and names the make
// target that builds them, or fails it where peers.RequireEnv lists kratos.
func Require(t testing.TB) Peers {
	t.Helper()
	source, where, err := peers.Where(t.Context(), "kratos", "kratos", "kratos_db", "op_modules")
	if err != nil {
		peers.Missing(t, "kratos", "real Kratos and OpenID provider not available: run `make peers` (needs Go, gcc, Node and npm)", err)
	}
	return Peers{Kratos: where["kratos"], KratosDB: where["kratos_db"], OPModules: where["op_modules"], Source: source}
}
