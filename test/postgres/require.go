//go:build unix

package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/test/peers"
)

// BinEnv names the environment variable with the folder of PostgreSQL's programs,
// for those who have several, or one where nobody looks.
const BinEnv = "JITHOOK_TEST_POSTGRES_BIN"

// programs are what this package runs, and the server that pg_ctl runs.
var programs = []string{"initdb", "pg_ctl", "postgres", "psql"}

// Require returns the folder of PostgreSQL's programs. Without them it skips the
// test and says what to install, or fails it where peers.RequireEnv lists
// postgres.
func Require(t testing.TB) string {
	t.Helper()
	folders := []string{os.Getenv(BinEnv)}
	if folders[0] == "" {
		folders = usual(t.Context())
	}
	at := slices.IndexFunc(folders, complete)
	if at < 0 {
		peers.Missing(t, "postgres", "no PostgreSQL server for tests: install its package (Debian: postgresql-15), or name the folder of its programs in "+BinEnv,
			fmt.Errorf("looked for %s in %s", strings.Join(programs, ", "), strings.Join(folders, ", ")))
	}
	return folders[at]
}

// usual lists where packages put the programs: first Debian's folder of the
// version that the tests were written with.
func usual(ctx context.Context) []string {
	folders := []string{"/usr/lib/postgresql/15/bin"}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	others, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is right
	return append(folders, others...)
}

func complete(folder string) bool {
	return !slices.ContainsFunc(programs, func(program string) bool {
		_, err := exec.LookPath(filepath.Join(folder, program))
		return err != nil
	})
}
