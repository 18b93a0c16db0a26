// Package metrics is what jithook counts, for Prometheus: its names, labels and
// their bounds in one place.
//
// It must not know who calls it. No label ever holds a subject, a claim, a
// trait or anything else that a stranger chooses.
package metrics

import (
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jithook/jithook/identity"
)

// Metrics are the process's counters. Its methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	labels   *providerLabels

	logins      *prometheus.CounterVec
	durations   *prometheus.HistogramVec
	held        *prometheus.CounterVec
	storeErrors *prometheus.CounterVec
	dropped     prometheus.Counter
	refused     *prometheus.CounterVec
	shed        prometheus.Counter
	providers   prometheus.Gauge
	reloads     *prometheus.CounterVec
	reloadGood  prometheus.Gauge
	reloadTime  prometheus.Gauge
}

// New returns Metrics with a registry of their own, version as the label of
// jithook_build_info.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jithook_logins_total",
			Help: "Logins decided, by hook, provider, decision and first reason code. provider is empty for logins of which no provider's file was read, and (others) for those beyond the first thousand providers that this server has met.",
		}, []string{"hook", "provider", "decision", "reason"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "jithook_login_duration_seconds",
			Help:    "Time from a decoded request to its decision.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 1.5, 2.5},
		}, []string{"hook", "decision"}),
		held: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jithook_group_changes_held_total",
			Help: "Logins that passed while a change of the person's groups waits for an administrator, by provider; (others) are those beyond the first thousand that this server has met.",
		}, []string{"provider"}),
		storeErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jithook_store_errors_total", Help: "Failed store operations.",
		}, []string{"operation"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jithook_records_dropped_total", Help: "Records of unchanged, denied or failed logins that were lost: the queue was full, or the store did not take them for minutes.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jithook_auth_failures_total", Help: "Requests to the hooks that were not authenticated, by reason.",
		}, []string{"reason"}),
		shed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jithook_requests_shed_total", Help: "Requests to the hooks that were refused at once since too many were under way.",
		}),
		providers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jithook_providers", Help: "Providers in force.",
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jithook_provider_loads_total", Help: "Loads of the providers' folder, by result.",
		}, []string{"result"}),
		reloadGood: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jithook_provider_load_good", Help: "1 if the newest load was good, 0 if older providers stay in force because a file is broken.",
		}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jithook_provider_load_timestamp_seconds", Help: "Unix time of the newest good load.",
		}),
	}
	m.labels = &providerLabels{named: map[string]bool{}, early: map[string]bool{}, held: m.held}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "jithook_build_info", Help: "Always 1; the version is the label.",
	}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	for _, operation := range storeOperations() {
		m.storeErrors.WithLabelValues(operation)
	}
	m.registry.MustRegister(m.logins, m.durations, m.held, m.storeErrors, m.dropped, m.refused, m.shed, m.providers, m.reloads, m.reloadGood, m.reloadTime, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// storeOperations are the operations of the stores. Their counters are there
// from the start, at 0: an alert on an increase would miss a first failure that
// also makes the counter.
func storeOperations() []string {
	return []string{
		"back up store", "count", "delete identity", "drop decisions", "drop receipts", "find deliveries", "find identities", "get decision", "get identity", "insert identity", "inspect store",
		"list decisions", "list identities", "measure backlog", "pin key", "ping", "receive message", "record decisions", "renew identity", "set outbox", "spend budget", "swap identity",
	}
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Login counts a decision.
func (m *Metrics) Login(r identity.Record) {
	reason := identity.Code("")
	if len(r.Reasons) > 0 {
		reason = r.Reasons[0].Code
	}
	provider := r.Provider
	if reason == identity.CodeUnknownProvider {
		provider = "" // also if it had a file, and a name here
	}
	provider = m.labels.of(provider, r.Policy != "")
	m.logins.WithLabelValues(string(r.Hook), provider, string(r.Decision), string(reason)).Inc()
	m.durations.WithLabelValues(string(r.Hook), string(r.Decision)).Observe(r.Duration.Seconds())
	if slices.ContainsFunc(r.Reasons, func(why identity.Reason) bool { return why.Code == identity.CodeGroupChangeHeld }) {
		m.held.WithLabelValues(provider).Inc()
	}
}

// StoreError counts a failed operation of a store; operation is a name in the
// source, not data.
func (m *Metrics) StoreError(operation string) { m.storeErrors.WithLabelValues(operation).Inc() }

// RecordDropped counts a record that was lost.
func (m *Metrics) RecordDropped() { m.dropped.Inc() }

// CallerRefused counts n requests that were not authenticated; reason is of a
// closed list. Of none it makes the counter, which an alert needs.
func (m *Metrics) CallerRefused(reason string, n float64) {
	m.refused.WithLabelValues(reason).Add(n)
}

// RequestShed counts a request for which there was no place.
func (m *Metrics) RequestShed() { m.shed.Inc() }

// ProvidersLoaded notes a load of the providers' folder. holding are those in force
// which may hold a change of groups: up to MaxProviders have their counters from then
// on, at 0, since an alert on an increase would miss a first one that also makes the
// counter.
func (m *Metrics) ProvidersLoaded(inForce int, holding []string, good bool) {
	m.providers.Set(float64(inForce))
	m.labels.loaded(holding)
	if !good {
		m.reloads.WithLabelValues("broken").Inc()
		m.reloadGood.Set(0)
		return
	}
	m.reloads.WithLabelValues("good").Inc()
	m.reloadGood.Set(1)
	m.reloadTime.SetToCurrentTime()
}
