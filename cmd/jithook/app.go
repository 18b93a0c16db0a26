package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/internal/metrics"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store/directory"
)

// app is the server's parts, wired, without its listeners.
type app struct {
	config   config
	log      *slog.Logger
	metrics  *metrics.Metrics
	store    *directory.Directory
	loader   provider.Loader
	live     *provider.Live
	shadow   *shadowing // nil without one
	recorder *provision.Recorder
	service  *provision.Service
	spans    *spans // nil without traces
}

// newApp opens the store and loads the providers. Errors name every problem.
func newApp(c config, log *slog.Logger) (*app, error) {
	a, err := closedApp(c, log)
	if err != nil {
		return nil, err
	}
	if problems := a.live.Load(); len(problems) > 0 {
		return nil, providerProblems(c.located(problems))
	}
	return a, a.open()
}

// closedApp is the app without its providers and its store.
func closedApp(c config, log *slog.Logger) (*app, error) {
	loader, err := newLoader(c, log)
	if err != nil {
		return nil, err
	}
	a := &app{config: c, log: log, loader: loader, metrics: metrics.New(versionText())}
	a.live = provider.NewLive(c.providersDir, loader, log, func(inForce *provider.Set, good bool) {
		a.metrics.ProvidersLoaded(inForce.Len(), inForce.Holding(), good)
	})
	return a, nil
}

// open opens the store.
func (a *app) open() error {
	s, err := a.config.openAll(a.metrics.StoreError)
	if err != nil {
		return err
	}
	a.store = s
	admins, err := a.config.kratosAdmins()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	claimLog, err := a.config.claimLog()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	a.recorder = provision.NewRecorder(s, a.log, a.metrics.RecordDropped)
	a.service = &provision.Service{
		Store: s, Editable: s, Journal: s, Receipts: s, Budgets: s, Later: a.recorder, Providers: a.live.Set, Kratos: admins, Userstores: a.config.userstores,
		Instances: a.config.kratosCallers(), Quarantine: a.config.quarantine,
		Now: now, Log: a.log, ClaimLog: claimLog, Observe: a.metrics.Login,
	}
	return nil
}

// admin returns the admin API that answers to this token.
func (a *app) admin(token string) *admin.API {
	host, _, _ := net.SplitHostPort(a.config.adminListen)
	return &admin.API{
		Store: a.store, Userstore: a.store, Service: a.service, Providers: a.live.Set, Targets: a.config.targetsToTell(), Token: token, Host: host,
		Metrics: a.metrics.Handler(), Log: a.log, LoadProviders: a.loader.Load,
	}
}

// kratosCallers are the names of all Kratoses that may call.
func (c config) kratosCallers() []string {
	var names []string
	note := func(caller hook.Caller) {
		if caller.May(hook.EndpointKratos) && !slices.Contains(names, caller.Instance) {
			names = append(names, caller.Instance)
		}
	}
	for _, k := range c.apiKeys {
		note(k.Caller)
	}
	for _, b := range c.basics {
		note(b.Caller)
	}
	return names
}

// kratosAdmins returns the Admin APIs of the Kratoses by instance; it reads
// their tokens, and calls none.
func (c config) kratosAdmins() (map[string]*kratos.Admin, error) {
	admins := map[string]*kratos.Admin{}
	for _, i := range c.instances {
		var token string
		if i.token != (secret{}) {
			var err error
			if token, err = i.token.read(); err != nil {
				return nil, err
			}
		}
		admin, err := kratos.NewAdmin(i.adminURL, token)
		if err != nil {
			return nil, fmt.Errorf("kratos.instances.%s: %w", i.name.Value, err)
		}
		admins[i.name.Value] = admin
	}
	return admins, nil
}

// auth reads the callers' secrets.
func (c config) auth() (*hook.Auth, error) {
	all := hook.Credentials{Now: now}
	for _, k := range c.apiKeys {
		values, err := readAll(k.values)
		if err != nil {
			return nil, err
		}
		all.APIKeys = append(all.APIKeys, hook.APIKey{Caller: k.Caller, Header: k.header, Values: values})
	}
	for _, b := range c.basics {
		passwords, err := readAll(b.passwords)
		if err != nil {
			return nil, err
		}
		all.Basics = append(all.Basics, hook.Basic{Caller: b.Caller, User: b.user, Passwords: passwords})
	}
	for _, w := range c.webhooks {
		secrets, err := readAll(w.secrets)
		if err != nil {
			return nil, err
		}
		all.Webhooks = append(all.Webhooks, hook.Webhook{Caller: w.Caller, Secrets: secrets})
	}
	return hook.NewAuth(all)
}

// mustConfig reads a configuration for a command that cannot go on with
// problems.
func mustConfig(path string) (config, error) {
	c, problems, err := readConfig(path)
	if err != nil {
		return config{}, err
	}
	if len(problems) > 0 {
		return config{}, fmt.Errorf("configuration has problems:\n%s", list(problems))
	}
	return c, nil
}

func list(problems []strictyaml.Problem) string {
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func newLogger(c config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.logLevel}
	var h slog.Handler = slog.NewJSONHandler(printing{w}, o)
	if c.logFormat == "text" {
		h = slog.NewTextHandler(w, o)
	}
	if c.telemetry != nil {
		h = tracing.Log(h)
	}
	return slog.New(h)
}

// openLocal opens the store of a configuration for one command, with an admin
// API whose token the caller sets. No server may be running on the file. A
// missing file is made only with create: a command that looks for something
// would find an empty store. Broken providers' files are an error only for a
// command that needs their rules; any other one says so on warn.
func openLocal(configPath string, rules, create bool, warn io.Writer) (*admin.API, func() error, error) {
	c, err := mustConfig(configPath)
	if err != nil {
		return nil, nil, err
	}
	if err := c.exists(); err != nil && !create {
		return nil, nil, err
	}
	a, err := closedApp(c, slog.New(slog.NewTextHandler(warn, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return nil, nil, err
	}
	if problems := c.located(a.live.Load()); len(problems) > 0 {
		if rules {
			return nil, nil, providerProblems(problems)
		}
		fmt.Fprintf(warn, "jithook: warning: %s (jithook check -c %s)\n", providerProblems(problems), configPath)
	}
	if err := a.open(); err != nil {
		return nil, nil, err
	}
	return a.admin(""), a.store.Close, nil
}
