package main

import (
	"strings"
	"testing"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/store"
)

// A backlog that nobody has counted to its end is not shown as if somebody had.
func TestLongBacklog(t *testing.T) {
	for n, want := range map[int]string{store.MaxBacklog - 1: "9999", store.MaxBacklog: "10000+"} {
		var out strings.Builder
		if err := targets(&out, []admin.Target{{Name: "hr", Waiting: n}}); err != nil {
			t.Fatal(err)
		}
		if row := strings.Fields(strings.Split(out.String(), "\n")[1]); row[1] != want {
			t.Errorf("%d that wait are shown as %q, want %q", n, row[1], want)
		}
	}
}
