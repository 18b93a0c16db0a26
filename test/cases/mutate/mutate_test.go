//go:build unix

// This test holds the tables of mutations to the code, to docs/policy.md and to
// the cases; whether each is noticed, make mutate shows.
package main

import "testing"

func TestTables(t *testing.T) {
	mutations, problems, err := load("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	t.Logf("%d mutations", len(mutations))
}
