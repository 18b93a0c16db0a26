package metrics

import "sync"

const (
	// MaxProviders is how many providers are counted each by itself. Every name is
	// a series for each outcome: with tens of thousands of files, a scrape would take
	// seconds and the counters more memory than the server.
	MaxProviders = 1000
	// OtherProviders is the label of those beyond, together.
	OtherProviders = "(others)"
)

// providerLabels gives providers their labels: the first ones their names, for as
// long as the process lives, since a counter must not begin anew under another.
type providerLabels struct {
	mu    sync.RWMutex
	named map[string]bool
}

// of returns the label of a provider; empty for none.
func (l *providerLabels) of(provider string) string {
	l.mu.RLock()
	known := provider == "" || l.named[provider]
	l.mu.RUnlock()
	if known {
		return provider
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.named[provider] {
		if len(l.named) >= MaxProviders {
			return OtherProviders
		}
		l.named[provider] = true
	}
	return provider
}
