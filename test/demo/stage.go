//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
)

// stage is the testing.TB of a program that is no test: what the tests' packages
// start ends with it. It has the methods that they call; another one would panic,
// since a testing.TB can be implemented only around one.
type stage struct {
	testing.TB

	ctx context.Context
	dir string
	out io.Writer

	mu       sync.Mutex
	folders  int
	cleanups []func()
	failed   bool
}

// perform calls run with a stage, and clears the stage when run has returned or
// failed. ok says that it did not fail; ending ctx is no failure.
func perform(ctx context.Context, out io.Writer, run func(*stage)) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "jithook-demo-")
	if err != nil {
		return false, err
	}
	s := &stage{ctx: ctx, dir: dir, out: out}
	alone(func() { run(s) })
	for len(s.cleanups) > 0 {
		last := len(s.cleanups) - 1
		next := s.cleanups[last]
		s.cleanups = s.cleanups[:last]
		alone(next)
	}
	return !s.Failed(), os.RemoveAll(dir)
}

// alone calls f in a goroutine of its own, which is all that Fatal ends.
func alone(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (s *stage) Helper()                  {}
func (s *stage) Context() context.Context { return s.ctx }

func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

func (s *stage) TempDir() string {
	s.mu.Lock()
	s.folders++
	n := s.folders
	s.mu.Unlock()
	dir := fmt.Sprintf("%s/%02d", s.dir, n)
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.Fatal(err)
	}
	return dir
}

func (s *stage) Log(args ...any) { fmt.Fprintln(s.out, args...) }

func (s *stage) Logf(format string, args ...any) { s.Log(fmt.Sprintf(format, args...)) }

// Failed is false when everything was told to end: what fails then fails because
// of that.
func (s *stage) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed && s.ctx.Err() == nil
}

func (s *stage) Fatal(args ...any) {
	s.mu.Lock()
	s.failed = true
	s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.Log(args...)
	}
	runtime.Goexit()
}

func (s *stage) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }

// Skipf is what a missing peer does to a test; here nothing can go on without.
func (s *stage) Skipf(format string, args ...any) { s.Fatalf(format, args...) }
