//go:build unix

// This test holds the tables of mutations to the code, and to what they break and
// the tests that notice; whether each is noticed, make mutate shows.
package main

import "testing"

func TestTables(t *testing.T) {
	for name, load := range tables {
		t.Run(name, func(t *testing.T) {
			mutations, problems, err := load("../..")
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				t.Error(p)
			}
			t.Logf("%d mutations", len(mutations))
		})
	}
}
