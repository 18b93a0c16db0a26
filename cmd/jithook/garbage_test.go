package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// TestCollectLess: with little in use, garbage has the room; with much, it has its
// percent of that.
func TestCollectLess(t *testing.T) {
	t.Cleanup(func() { debug.SetGCPercent(gcPercent) })
	read := func(name string) uint64 {
		s := []metrics.Sample{{Name: name}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	runtime.GC()
	room := max(gcRoom, 4*read("/gc/heap/live:bytes"))
	collectLess(gcPercent, room)
	await := func(what string, least, most uint64) {
		t.Helper()
		goal := uint64(0)
		for until := time.Now().Add(20 * time.Second); goal < least || goal > most; goal = read("/gc/heap/goal:bytes") {
			if time.Now().After(until) {
				t.Fatalf("%s in use: garbage is collected at %d bytes, want %d to %d", what, goal, least, most)
			}
			runtime.GC()
		}
	}
	await("little", room/4*3, room/4*5)
	for _, much := range []uint64{room / 2, 2 * room} {
		held := make([]byte, much)
		await("much", 3*much, 3*(much+room/4))
		runtime.KeepAlive(held)
	}
	await("little again", room/4*3, room/4*5)
}
