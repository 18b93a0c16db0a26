// Command peer is FerretDB, a server that speaks MongoDB's protocol over a
// PostgreSQL with the DocumentDB extension, for the tests of jithook. It asks
// nobody for a password, so it listens on the loopback interface only; it sends
// no telemetry. It must not know jithook.
//
//	PEER_POSTGRES_URL=… peer -state DIR [-listen 127.0.0.1:0]
//
// When it listens it prints one line, uri=mongodb://127.0.0.1:PORT/, and goes on
// until SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/v2/ferretdb"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:0", "loopback `address` and port; port 0 picks a free one")
	state := flag.String("state", "", "`folder` for FerretDB's own state")
	flag.Parse()
	// By the environment: a URL may hold a password, and arguments are public.
	postgres := os.Getenv("PEER_POSTGRES_URL")
	if postgres == "" || *state == "" || flag.NArg() > 0 {
		return errors.New("usage: PEER_POSTGRES_URL=… peer -state DIR [-listen 127.0.0.1:0]")
	}
	at, err := netip.ParseAddrPort(*listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	if !at.Addr().IsLoopback() {
		return fmt.Errorf("-listen %s: only a loopback address, since nobody is asked for a password", at)
	}
	telemetry := false
	server, err := ferretdb.New(&ferretdb.Config{
		PostgreSQLURL: postgres,
		ListenAddr:    at.String(),
		StateDir:      *state,
		LogLevel:      slog.LevelError,
		LogOutput:     os.Stderr,
		Telemetry:     &telemetry,
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Run(ctx)
	}()
	// Blocks until the listener is there; Run itself ends the program otherwise.
	fmt.Printf("uri=%s\n", server.MongoDBURI())
	<-done
	return nil
}
