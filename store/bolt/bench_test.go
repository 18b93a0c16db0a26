package bolt_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/jithook/jithook/identity"
)

// BenchmarkFind is the look-up of a returning login among 10,000 identities.
func BenchmarkFind(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "jithook.db"))
	var keys []identity.Key
	fill := make(chan identity.Identity)
	done := make(chan struct{})
	for range 64 {
		go func() {
			for i := range fill {
				insert(b, s, i)
			}
			done <- struct{}{}
		}()
	}
	for range 10_000 {
		i := newIdentity(3)
		keys = append(keys, i.Keys[0])
		fill <- i
	}
	close(fill)
	for range 64 {
		<-done
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if found, err := s.Find(context.Background(), keys[n%len(keys)]); err != nil || len(found) != 1 {
			b.Fatalf("%d identities, %v", len(found), err)
		}
		n += 7919
	}
}

// BenchmarkInsert is a first login on its own: one commit each.
func BenchmarkInsert(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "jithook.db"))
	for b.Loop() {
		insert(b, s, newIdentity(3))
	}
}

// BenchmarkInsertParallel is first logins by the dozen: they share commits.
func BenchmarkInsertParallel(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "jithook.db"))
	b.SetParallelism(32) // times GOMAXPROCS
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := newIdentity(3)
			if err := s.Insert(context.Background(), i, newRecord(i)); err != nil {
				b.Error(err)
			}
		}
	})
}
