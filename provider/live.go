package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a folder must be quiet before it is read: an editor or a
// mounted ConfigMap changes several names in a row.
const settle = 100 * time.Millisecond

// maxLogged is how many problems a load logs: one mistake in thousands of files
// that a program writes is as many lines, at every change. `jithook check` prints
// all of them.
const maxLogged = 100

// Live is the set of providers in force: the newest that had no problem.
type Live struct {
	dir    string
	loader Loader
	log    *slog.Logger
	// loaded, if not nil, is told after every load what is in force and whether
	// the load was good.
	loaded func(inForce *Set, good bool)

	mu  sync.Mutex // one load at a time
	set atomic.Pointer[Set]
}

// NewLive returns a Live over a folder; before the first good Load its set is
// empty and every provider unknown.
func NewLive(dir string, l Loader, log *slog.Logger, loaded func(inForce *Set, good bool)) *Live {
	live := &Live{dir: dir, loader: l, log: log, loaded: loaded}
	live.set.Store(&Set{})
	return live
}

// Set returns the providers in force.
func (l *Live) Set() *Set { return l.set.Load() }

// Load reads the folder and puts its providers in force, or returns its
// problems and leaves those in force as they are. Files that have not changed are
// not compiled again.
func (l *Live) Load() []Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	set, problems := l.loader.load(os.DirFS(l.dir), l.Set())
	if len(problems) == 0 {
		l.set.Store(set)
	}
	if l.loaded != nil {
		l.loaded(l.Set(), len(problems) == 0)
	}
	return problems
}

// Reload is Load with its outcome in the log.
func (l *Live) Reload() {
	problems := l.Load()
	for _, p := range problems[:min(len(problems), maxLogged)] {
		l.log.Error("provider file has a problem", "problem", p.String())
	}
	if len(problems) > 0 {
		l.log.Error("providers not reloaded: the last good ones stay in force", "problems", len(problems), "providers", l.Set().Len())
		return
	}
	l.log.Info("providers reloaded", "providers", l.Set().Len())
}

// Watch reloads when a file of the folder changes, until ctx ends. An error
// means that the folder cannot be watched.
func (l *Live) Watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", l.dir, err)
	}
	defer w.Close()
	if err := w.Add(l.dir); err != nil {
		return fmt.Errorf("watch %s: %w", l.dir, err)
	}
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-w.Events:
			if !ok {
				return errors.New("the watch on the providers' folder ended")
			}
			quiet.Reset(settle)
		case err, ok := <-w.Errors:
			if !ok {
				return errors.New("the watch on the providers' folder ended")
			}
			// Events may have been lost: what is there now counts.
			l.log.Warn("watching the providers' folder", "error", err)
			quiet.Reset(settle)
		case <-quiet.C:
			l.Reload()
		}
	}
}
