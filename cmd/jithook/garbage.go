package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// gcPercent is how much garbage may gather, in percent of the memory in use: twice
	// Go's own 100, since a login leaves some 30 kB behind and little stays in use.
	gcPercent = 200
	// gcRoom is how much memory may be used before garbage is collected, in bytes,
	// however little is in use: the collector of a small server would run ten times a
	// second under load.
	gcRoom = 24 << 20
)

// collectLess has garbage collected as the constants say, from now on. After each
// collection it looks at what is in use: the finalizer of something that nobody
// has runs then.
func collectLess() {
	percent := gcPercent
	debug.SetGCPercent(percent)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	type mark struct{ *mark }
	var collected func(*mark)
	collected = func(m *mark) {
		metrics.Read(live)
		room := int(100*gcRoom/max(live[0].Value.Uint64(), 1<<20)) - 100
		if room = max(gcPercent, room); room != percent {
			percent = room
			debug.SetGCPercent(percent)
		}
		runtime.SetFinalizer(m, collected)
	}
	runtime.SetFinalizer(&mark{}, collected)
}
