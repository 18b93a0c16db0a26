package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/hook/kratos"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/provider"
)

const (
	// drain is how long requests under way may take after SIGTERM: longer than
	// a login's deadline.
	drain = 10 * time.Second
	// dropEvery is how often old decision records and receipts are dropped,
	// dropBatch how many in one step.
	dropEvery = 10 * time.Minute
	dropBatch = 1000
)

func newServeCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the hook server", Args: cobra.NoArgs,
		Long: `Run the hook server until SIGTERM or SIGINT, which let requests under way
finish. A changed provider file or SIGHUP reloads the providers; with a broken
file the last good ones stay in force.`,
		Example: "  jithook serve -c jithook.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := mustConfig(path)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c, func() {})
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "jithook.yaml", "the server's configuration")
	return cmd
}

// serve runs the server until ctx ends; listening is called once both ports
// are open.
func serve(ctx context.Context, c config, listening func()) error {
	hup := make(chan os.Signal, 1) // before anything that takes time: it would end the process
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	if os.Getenv("GOGC") == "" {
		collectLess(gcPercent, gcRoom)
	}
	log := newLogger(c, os.Stderr)
	for _, s := range c.secretsInClear() {
		log.Warn("a secret stands in the configuration itself; env:NAME or file:PATH keep it out", "file", s.at.File, "line", s.at.Line)
	}
	auth, err := c.auth()
	if err != nil {
		return err
	}
	token, err := c.adminToken.read()
	if err != nil {
		return err
	}
	a, err := newApp(c, log)
	if err != nil {
		return err
	}
	defer a.store.Close()
	a.watchShadow()
	if err := a.trace(); err != nil {
		return err
	}
	worker, err := a.worker()
	if err != nil {
		return err
	}
	hooks, err := net.Listen("tcp", c.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	adminL, err := net.Listen("tcp", c.adminListen)
	if err != nil {
		hooks.Close()
		return fmt.Errorf("admin.listen: %w", err)
	}
	for _, reason := range hook.Reasons() {
		a.metrics.CallerRefused(string(reason), 0)
	}
	o := hook.Options{
		Auth: auth, Log: log, Ready: a.store.Ping, Tracer: a.spans.tracer(),
		Refused: func(why hook.Reason) { a.metrics.CallerRefused(string(why), 1) },
		Places:  hook.NewPlaces(hook.MaxUnderWay, now, a.metrics.RequestShed),
	}
	e := hook.New(o)
	kratos.Mount(e, o, &kratos.Handler{Service: a.service, Log: log, RestoreTraits: c.restored()})
	generic.Mount(e, o, &generic.Handler{Service: a.service})
	log.Info("listening", "hooks", hooks.Addr().String(), "admin", adminL.Addr().String(), "providers", a.live.Set().Len(), "version", versionText())
	if a.live.Set().Len() == 0 {
		log.Warn("no provider is set up: every login is denied", "folder", c.providersDir)
	}
	listening()
	api := a.admin(token)
	api.Comparers = comparers(worker)
	if worker != nil {
		api.Failing = worker.Failing
	}
	api.Replayers = max(1, runtime.GOMAXPROCS(0)/2) // logins go on meanwhile
	return a.run(ctx, hup, worker, map[net.Listener]http.Handler{hooks: e, adminL: api.Handler()})
}

// run serves until ctx ends or a listener breaks, then drains: first requests,
// then what they queued.
func (a *app) run(ctx context.Context, hup <-chan os.Signal, worker *outbound.Worker, listeners map[net.Listener]http.Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	background.Go(func() { a.reload(ctx, hup) })
	background.Go(func() { a.drops(ctx) })
	background.Go(func() { a.sweeps(ctx) })
	if a.shadow != nil {
		background.Go(func() { a.shadow.decides.Run(ctx) })
	}
	if worker != nil {
		background.Go(func() { worker.Run(ctx) })
	}
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	var recorder sync.WaitGroup
	recorder.Go(func() { a.recorder.Run(recording) })

	failed := make(chan error, len(listeners))
	var servers []*http.Server
	for l, h := range listeners {
		s := &http.Server{
			Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
			WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
			ConnContext: hook.WithConn,
			// net/http's own complaints come in the format of all others.
			ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
		}
		servers = append(servers, s)
		go func() { failed <- s.Serve(l) }()
	}
	var err error
	select {
	case <-ctx.Done():
		a.log.Info("draining")
	case err = <-failed:
	}
	cancel()
	until, stop := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer stop()
	err = errors.Join(err, end(until, servers))
	background.Wait()
	stopRecording()
	recorder.Wait()
	a.spans.stop()
	a.log.Info("stopped")
	return err
}

// end ends the servers, all at once: none takes anybody more while another waits for
// who is slow.
func end(until context.Context, servers []*http.Server) error {
	failed := make([]error, len(servers))
	var all sync.WaitGroup
	for n, s := range servers {
		all.Go(func() {
			if late := s.Shutdown(until); late != nil { // such as a stream that is read slowly
				failed[n] = errors.Join(late, s.Close())
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// reload follows the providers' folder, that of their candidates, and SIGHUP.
func (a *app) reload(ctx context.Context, hup <-chan os.Signal) {
	folders := []*provider.Live{a.live}
	if a.shadow != nil {
		folders = append(folders, a.shadow.candidate)
	}
	var watch sync.WaitGroup
	for _, f := range folders {
		watch.Go(func() {
			if err := f.Watch(ctx); err != nil {
				a.log.Error("changed provider files are not noticed any more; SIGHUP still reloads", "error", err)
			}
		})
	}
	defer watch.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			for _, f := range folders {
				f.Reload()
			}
		}
	}
}

// drops drops decision records that are older than their retention, and the
// receipts of messages that nobody can send again.
func (a *app) drops(ctx context.Context) {
	tick := time.NewTicker(dropEvery)
	defer tick.Stop()
	for {
		a.drop(ctx, "old decision records", func() (int, error) {
			return a.store.DropDecisions(ctx, now().Add(-a.config.retention), dropBatch)
		})
		a.drop(ctx, "old receipts of signed messages", func() (int, error) {
			return a.store.DropReceipts(ctx, now(), dropBatch)
		})
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// drop drops batch after batch until one is not full.
func (a *app) drop(ctx context.Context, what string, batch func() (int, error)) {
	for dropped := dropBatch; dropped == dropBatch; {
		var err error
		if dropped, err = batch(); err != nil && ctx.Err() == nil {
			a.log.Error("cannot drop what is old", "what", what, "error", err)
		}
	}
}

// secretsInClear are the secrets that stand in the configuration itself.
func (c config) secretsInClear() []secret {
	all := []secret{c.adminToken, c.store.uri}
	for _, name := range c.userstores {
		all = append(all, c.own[name].uri)
	}
	for _, k := range c.apiKeys {
		all = append(all, k.values...)
	}
	for _, b := range c.basics {
		all = append(all, b.passwords...)
	}
	for _, w := range c.webhooks {
		all = append(all, w.secrets...)
	}
	for _, i := range c.instances {
		all = append(all, i.token)
	}
	for _, t := range c.targets {
		all = append(append(all, t.auth.secret), t.secrets...)
	}
	for _, k := range c.claimKeys {
		all = append(all, k.value)
	}
	if c.telemetry != nil {
		all = slices.AppendSeq(all, maps.Values(c.telemetry.headers))
	}
	var clear []secret
	for _, s := range all {
		if s.inClear() {
			clear = append(clear, s)
		}
	}
	return clear
}

// restored are the names of the traits to restore; nil stands for all.
func (c config) restored() []string {
	var names []string
	for _, t := range c.restoreTraits {
		names = append(names, t.Value)
	}
	return names
}
