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
	// coarse is what percents are a multiple of: to set them stops the world for a moment.
	coarse = 25
)

// collectLess has garbage collected when it is so many percent of what is in use,
// and when the heap has so many bytes, whichever comes later. After each collection
// it looks at what is in use: the finalizer of something that nobody has runs then.
func collectLess(least int, room uint64) {
	percent := least
	debug.SetGCPercent(percent)
	// Go does not collect below 4 MiB for each hundred percent.
	most := max(least, int(100*room/(4<<20)))
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	type mark struct{ *mark } // with a pointer in it: things without one share a finalizer
	var collected func(*mark)
	collected = func(m *mark) {
		metrics.Read(inUse)
		live, enough := inUse[0].Value.Uint64(), least
		if live < room { // the percents are of all that is looked through
			enough = int(100 * (room - live) / max(1, live+inUse[1].Value.Uint64()+inUse[2].Value.Uint64()))
			enough = min(max(least, enough/coarse*coarse), most)
		}
		if enough != percent {
			percent = enough
			debug.SetGCPercent(percent)
		}
		runtime.SetFinalizer(m, collected)
	}
	runtime.SetFinalizer(&mark{}, collected)
}
