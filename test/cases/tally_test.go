//go:build unix

package cases_test

// What logins cost, over all cases: the report of go test -v.

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// tally counts steps by what came of them and what they cost.
type tally struct {
	mu   sync.Mutex
	rows map[string]int
}

func newTally() *tally { return &tally{rows: map[string]int{}} }

func (c *tally) add(s step, r reply, reads, writes, sent []string) {
	if s.Login == "" || len(r.Reasons) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	row := fmt.Sprintf("%s\t%s\t%d %s\t%d %s\t%s", r.Decision, r.Reasons[0].Code,
		len(reads), strings.Join(reads, " "), len(writes), strings.Join(writes, " "), strings.Join(sent, " "))
	c.rows[row]++
}

// log logs the table.
func (c *tally) log(t *testing.T) {
	t.Helper()
	var rows []string
	for row, n := range c.rows {
		rows = append(rows, fmt.Sprintf("%s\t%d\n", row, n))
	}
	slices.Sort(rows)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "decision\tcode\treads\twrites\tcommands\tlogins\n", strings.Join(rows, ""))
	must(t, w.Flush())
	t.Logf("what logins cost:\n%s", b.String())
}
