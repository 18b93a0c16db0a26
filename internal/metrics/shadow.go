package metrics

import "github.com/prometheus/client_golang/prometheus"

// Shadow counts what candidates for the providers' files would change.
type Shadow struct {
	labels      *providerLabels
	compared    *prometheus.CounterVec
	differences *prometheus.CounterVec
	dropped     prometheus.Counter
	failed      prometheus.Counter
	good        prometheus.Gauge
}

// Shadow adds the metrics of a shadow; a process without one does not have them.
// It may be called once.
func (m *Metrics) Shadow() *Shadow {
	s := &Shadow{
		labels: m.labels,
		compared: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jithook_shadow_logins_total", Help: "Logins that were compared with candidate files, by provider; (others) are those beyond the first thousand that this server has met.",
		}, []string{"provider"}),
		differences: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jithook_shadow_differences_total", Help: "Those of them that candidate files would decide otherwise, by provider and by what differs.",
		}, []string{"provider", "kind"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jithook_shadow_dropped_total", Help: "Logins of the sample that found the queue full.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jithook_shadow_failures_total", Help: "Logins of the sample that could not be compared.",
		}),
		good: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jithook_shadow_load_good", Help: "1 if the newest load of the candidate files was good, 0 if one is broken.",
		}),
	}
	m.registry.MustRegister(s.compared, s.differences, s.dropped, s.failed, s.good)
	return s
}

// Shadowed counts a comparison. The provider is one that has a file, the kinds
// are of a closed list.
func (s *Shadow) Shadowed(provider string, kinds []string) {
	provider = s.labels.of(provider, true)
	s.compared.WithLabelValues(provider).Inc()
	for _, k := range kinds {
		s.differences.WithLabelValues(provider, k).Inc()
	}
}

// ShadowDropped counts a login that found the queue full.
func (s *Shadow) ShadowDropped() { s.dropped.Inc() }

// ShadowFailed counts a login that could not be compared.
func (s *Shadow) ShadowFailed() { s.failed.Inc() }

// Loaded notes a load of the candidate files.
func (s *Shadow) Loaded(good bool) {
	s.good.Set(0)
	if good {
		s.good.Set(1)
	}
}
