//go:build unix

// Command demo shows jithook to a person: a real Ory Kratos, two real OpenID
// providers and jithook, behind a page on which one signs in and sees beside it
// which identity came out, and why. It owns what a viewer needs, the page, the
// people and the rules; it starts everything as the tests do, through their
// packages, and must not know a second way. Nothing of it is fit for more than
// this machine: the providers ask for no password.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Println("Starting Kratos, two OpenID providers and jithook …")
	ok, err := perform(ctx, os.Stderr, func(s *stage) {
		w := raise(s)
		fmt.Printf(`
  Open     %s/

  Kratos   %s
  jithook  %s
  ACME     %s
  GLOBEX   %s
  Data     %s

Ctrl-C stops all of it, and removes the data.
`, w.url, w.kratos.PublicURL, w.jithook.ListenURL, w.acme.Issuer, w.globex.Issuer, s.dir)
		<-ctx.Done()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
	fmt.Println("Stopped.")
}
