package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// MaxProviders is how many providers are counted each by itself. Every name is
	// a series for each outcome: with tens of thousands of files, a scrape would take
	// seconds and the counters more memory than the server.
	MaxProviders = 1000
	// OtherProviders is the label of those beyond, together.
	OtherProviders = "(others)"
)

// providerLabels gives providers their labels: the first ones that are met their
// names, for as long as the process lives, since a counter must not begin anew under
// another. It also makes their counters of held changes.
type providerLabels struct {
	mu      sync.RWMutex
	named   map[string]bool
	holding map[string]bool // those in force which may hold a change of groups
	early   map[string]bool // those whose counter was made before a login of theirs
	held    *prometheus.CounterVec
}

// of returns the label of a provider. Whoever has no file gets no name, unless it
// had one: what is not found may be a caller's own text.
func (l *providerLabels) of(provider string, hasFile bool) string {
	l.mu.RLock()
	known := l.named[provider]
	l.mu.RUnlock()
	switch {
	case known:
		return provider
	case provider == "" || !hasFile:
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.named[provider] {
		if len(l.named) >= MaxProviders {
			return OtherProviders
		}
		l.named[provider] = true
		if l.holding[provider] {
			l.held.WithLabelValues(provider)
		}
	}
	return provider
}

// loaded makes the counters of those which may hold a change. It names nobody: the
// names are for those by whom people sign in. Too many to be named get theirs when
// they are met, and one together before.
func (l *providerLabels) loaded(holding []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = make(map[string]bool, len(holding))
	few := len(holding) <= MaxProviders
	for _, id := range holding {
		l.holding[id] = true
		label := id
		switch {
		case l.named[id] || l.early[id]:
		case few && len(l.early) < MaxProviders:
			l.early[id] = true
		default:
			label = OtherProviders
		}
		l.held.WithLabelValues(label)
	}
}
