package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/kratos"
)

// Defaults of the server's configuration.
const (
	defaultListen      = "127.0.0.1:4480"
	defaultAdminListen = "127.0.0.1:4481"
	defaultRetention   = 30 * 24 * time.Hour
	minRetention       = time.Hour
	defaultSweep       = time.Hour
	minSweep           = time.Minute
	defaultQuarantine  = 90 * 24 * time.Hour
	maxConfig          = 1 << 20
)

// config is the configuration, checked, with paths made absolute.
type config struct {
	listen, adminListen string
	adminToken          secret
	apiKeys             []apiKey
	basics              []basic
	webhooks            []webhook
	store               userstore            // home
	own                 map[string]userstore // the stores that userstores have of their own
	userstores          []string             // all names
	providersDir        string               // empty if the configuration names none
	providersAt         strictyaml.Text      // where it names it
	providersShown      string               // as messages show it: like the configuration's own path
	shadow              *shadow              // nil: no candidates are watched
	spokenFor           []strictyaml.Text    // the providers that credentials name
	instances           []instance           // the Kratoses that have an Admin API
	hookURL             string
	hookURLGiven        bool              // otherwise it is made of listen
	restoreTraits       []strictyaml.Text // nil: all
	guard               safedial.Guard    // of connections to providers and targets
	targets             []target
	logLevel            slog.Level
	logFormat           string
	telemetry           *telemetry // nil: no traces
	retention           time.Duration
	recordClaims        identity.ClaimsMode
	sweepEvery          time.Duration // 0: not by itself
	quarantine          time.Duration // 0: for ever
	claimKeys           []claimKey
}

type apiKey struct {
	hook.Caller
	header string
	values []secret
}

type basic struct {
	hook.Caller
	user      string
	passwords []secret
}

// instance is a Kratos whose Admin API jithook may call.
type instance struct {
	name     strictyaml.Text
	adminURL string
	token    secret // nowhere if it needs none
}

type webhook struct {
	hook.Caller
	secrets []secret
}

// configReader turns a configFile into a config and collects what is wrong.
type configReader struct {
	dir       string
	problems  []strictyaml.Problem
	names     []string // credentials
	spokenFor []strictyaml.Text
}

// readConfig reads and checks a configuration. Secrets are not read.
func readConfig(path string) (config, []strictyaml.Problem, error) {
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return config{}, nil, fmt.Errorf("there is no configuration %s: -c FILE names another, and jithook dev writes one to start from", path)
	}
	if err != nil {
		return config{}, nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return config{}, nil, err
	}
	var f configFile
	problems := strictyaml.Decode(path, data, &f)
	r := configReader{dir: filepath.Dir(abs)}
	c := r.read(f)
	c.providersAt, c.providersShown = f.Providers, beside(path, f.Providers.Value)
	if c.shadow != nil {
		c.shadow.shown = beside(path, c.shadow.at.Value)
	}
	for _, p := range r.problems {
		// What could not be decoded has no place, and a problem already.
		if p.Line > 0 || len(problems) == 0 {
			problems = append(problems, p)
		}
	}
	slices.SortStableFunc(problems, func(a, b strictyaml.Problem) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
	return c, problems, nil
}

// beside is a path in the configuration as messages show it: like the
// configuration's own.
func beside(config, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(config), path)
}

func (r *configReader) wrong(at strictyaml.Text, format string, args ...any) {
	r.problems = append(r.problems, at.Problemf(format, args...))
}

func (r *configReader) read(f configFile) config {
	c := config{listen: defaultListen, adminListen: defaultAdminListen, logFormat: "json", retention: defaultRetention, recordClaims: identity.ClaimsOff}
	r.address(f.Listen, &c.listen)
	r.address(f.Admin.Listen, &c.adminListen)
	c.adminToken = r.secret(f.Admin.Token)
	r.auth(f.Auth, &c)
	c.spokenFor = r.spokenFor
	r.userstores(f, &c)
	c.providersDir = r.path(f.Providers)
	c.shadow = r.shadow(f.Shadow)
	r.kratos(f.Kratos, &c)
	c.guard = r.network(f.Network)
	r.outbound(f.Outbound, &c)
	r.log(f.Log, &c)
	c.telemetry = r.telemetry(f.Telemetry)
	r.decisions(f.Decisions, &c)
	c.sweepEvery, c.quarantine = defaultSweep, defaultQuarantine
	if f.Lifecycle.Sweep != nil {
		c.sweepEvery = time.Duration(*f.Lifecycle.Sweep)
	}
	if f.Lifecycle.Quarantine != nil {
		c.quarantine = *f.Lifecycle.Quarantine
	}
	return c
}

func (r *configReader) auth(a authSection, c *config) {
	if len(a.APIKeys)+len(a.Basic)+len(a.WebhookSecrets) == 0 {
		r.problems = append(r.problems, a.Problemf("auth has neither api_keys, basic nor webhook_secrets: every caller would be refused"))
	}
	for _, k := range a.APIKeys {
		key := apiKey{Caller: r.caller(k.Name, k.Endpoints, k.Providers, k.Instance), header: "X-API-Key", values: r.secrets(k.Name, k.Value)}
		if k.Header != nil {
			key.header = k.Header.Value
		}
		c.apiKeys = append(c.apiKeys, key)
	}
	for _, b := range a.Basic {
		caller := r.caller(b.Name, b.Endpoints, b.Providers, b.Instance)
		c.basics = append(c.basics, basic{Caller: caller, user: b.User.Value, passwords: r.secrets(b.Name, b.Password)})
	}
	for _, w := range a.WebhookSecrets {
		caller := r.caller(w.Name, []strictyaml.Text{{Value: string(hook.EndpointLogin)}}, w.Providers, w.Instance)
		c.webhooks = append(c.webhooks, webhook{Caller: caller, secrets: r.secrets(w.Name, w.Value)})
	}
}

func (r *configReader) caller(name strictyaml.Text, endpoints, providers []strictyaml.Text, instance *strictyaml.Text) hook.Caller {
	caller := hook.Caller{Name: name.Value, Instance: hook.DefaultInstance}
	if slices.Contains(r.names, name.Value) {
		r.wrong(name, "there is a credential %q already", name.Value)
	}
	r.names = append(r.names, name.Value)
	if len(endpoints) == 0 || len(providers) == 0 {
		r.wrong(name, "the credential %q may call nothing: endpoints or providers is empty", name.Value)
	}
	for _, e := range endpoints {
		endpoint := hook.Endpoint(e.Value)
		if endpoint != hook.EndpointKratos && endpoint != hook.EndpointLogin {
			r.wrong(e, "%q is no endpoint; there are %q and %q", e.Value, hook.EndpointKratos, hook.EndpointLogin)
		}
		caller.Endpoints = append(caller.Endpoints, endpoint)
	}
	for _, p := range providers {
		caller.Providers = append(caller.Providers, p.Value)
	}
	r.spokenFor = append(r.spokenFor, providers...)
	if instance != nil {
		caller.Instance = instance.Value
	}
	return caller
}

func (r *configReader) kratos(k kratosSection, c *config) {
	for _, i := range k.Instances {
		in := instance{name: i.Key, adminURL: i.Value.AdminURL.Value}
		if err := kratos.CheckAdminURL(in.adminURL); err != nil {
			r.wrong(i.Value.AdminURL, "%s", err)
		}
		if i.Value.Token != nil {
			in.token = r.secret(*i.Value.Token)
		}
		c.instances = append(c.instances, in)
	}
	c.hookURL, c.hookURLGiven = "http://"+c.listen, k.HookURL != nil
	if k.HookURL != nil {
		u, err := url.Parse(k.HookURL.Value)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			r.wrong(*k.HookURL, "hook_url is the http or https URL under which Kratos reaches this server")
		}
		c.hookURL = strings.TrimSuffix(k.HookURL.Value, "/")
	}
	for _, t := range k.RestoreTraits {
		t.Value = strings.TrimPrefix(t.Value, "/")
		c.restoreTraits = append(c.restoreTraits, t)
	}
}

func (r *configReader) network(n networkSection) safedial.Guard {
	var allow []netip.Prefix
	for _, t := range n.AllowAddresses {
		p, err := safedial.ParseAllowed(t.Value)
		if err != nil {
			r.wrong(t, "%s", err)
			continue
		}
		allow = append(allow, p)
	}
	return safedial.New(allow)
}

func (r *configReader) log(l logSection, c *config) {
	if l.Level != nil {
		if err := c.logLevel.UnmarshalText([]byte(l.Level.Value)); err != nil {
			r.wrong(*l.Level, "%q is none of debug, info, warn, error", l.Level.Value)
		}
	}
	if l.Format != nil {
		if l.Format.Value != "json" && l.Format.Value != "text" {
			r.wrong(*l.Format, "%q is neither json nor text", l.Format.Value)
		}
		c.logFormat = l.Format.Value
	}
}

func (r *configReader) address(t *strictyaml.Text, into *string) {
	if t == nil {
		return
	}
	_, port, err := net.SplitHostPort(t.Value)
	if err != nil {
		r.wrong(*t, "%q is not host:port", t.Value)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		r.wrong(*t, "%q is not host:port: a port is a number from 0 to 65535", t.Value)
	}
	*into = t.Value
}

// path is relative to the folder of the configuration. What could not be
// decoded is no path, rather than that folder itself.
func (r *configReader) path(t strictyaml.Text) string {
	if t.Value == "" || filepath.IsAbs(t.Value) {
		return t.Value
	}
	return filepath.Join(r.dir, t.Value)
}
