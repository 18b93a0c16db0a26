package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a folder must be quiet before it is read: an editor or a
// mounted ConfigMap changes several names in a row.
const settle = 100 * time.Millisecond

// lookAgain is how often it is made sure that the folder of the name is the one
// that is watched: a deployment puts another one, or another link, in its place.
const lookAgain = time.Second

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
func (l *Live) Reload() { l.tell(l.Load()) }

func (l *Live) tell(problems []Problem) {
	for _, p := range problems[:min(len(problems), maxLogged)] {
		l.log.Error("provider file has a problem", "problem", p.String())
	}
	if len(problems) > 0 {
		l.log.Error("providers not reloaded: the last good ones stay in force", "problems", len(problems), "providers", l.Set().Len())
		return
	}
	l.log.Info("providers reloaded", "providers", l.Set().Len())
}

// Watch reloads when a file of the folder changes, or another folder is put in its
// place, until ctx ends. An error means that the folder cannot be watched.
func (l *Live) Watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", l.dir, err)
	}
	defer w.Close()
	watched, err := l.follow(w)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may come yet
		return fmt.Errorf("watch %s: %w", l.dir, err)
	}
	l.catchUp()
	quiet := time.NewTimer(settle)
	quiet.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("the watch on the providers' folder ended")
			}
			if e.Name == filepath.Clean(l.dir) && e.Op&(fsnotify.Remove|fsnotify.Rename) != 0 { // the folder went, and the watch with it
				watched = nil
			}
			if l.concerns(e.Name) {
				quiet.Reset(settle)
			}
		case err, ok := <-w.Errors:
			if !ok {
				return errors.New("the watch on the providers' folder ended")
			}
			// Events may have been lost: what is there now counts.
			l.log.Warn("watching the providers' folder", "error", err)
			quiet.Reset(settle)
		case <-again.C:
			if there, err := os.Stat(l.dir); err != nil || os.SameFile(watched, there) {
				continue
			}
			_ = w.Remove(l.dir) // it may have ended by itself
			if watched, err = l.follow(w); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("watch %s: %w", l.dir, err)
			}
			quiet.Reset(settle)
		case <-quiet.C:
			l.Reload()
		}
	}
}

// concerns reports whether an event of that name may be about what is loaded. What
// somebody writes beside the files, such as a log, must not keep the folder from
// being quiet; a link may be one through which files are reached.
func (l *Live) concerns(name string) bool {
	if mayCount(filepath.Base(name)) {
		return true
	}
	info, err := os.Lstat(name)
	return err != nil || !info.Mode().IsRegular()
}

// follow watches the folder that has the name now, and returns which that is: one
// that takes its name meanwhile is another.
func (l *Live) follow(w *fsnotify.Watcher) (os.FileInfo, error) {
	there, err := os.Stat(l.dir)
	if err == nil {
		err = w.Add(l.dir)
	}
	if err != nil {
		return nil, err
	}
	return there, nil
}

// catchUp loads what has changed since the last load, before there was a watch.
func (l *Live) catchUp() {
	before := l.Set().All()
	if problems := l.Load(); len(problems) > 0 || !slices.Equal(before, l.Set().All()) {
		l.tell(problems)
	}
}
