package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outbound counts what is delivered to other systems.
type Outbound struct {
	attempts *prometheus.CounterVec
	behind   *prometheus.HistogramVec
	waiting  *prometheus.GaugeVec
	dead     *prometheus.GaugeVec
	overdue  *prometheus.GaugeVec
}

// Outbound adds the metrics of deliveries to these targets, with these
// outcomes; a process that delivers nothing does not have them. It may be
// called once.
func (m *Metrics) Outbound(targets, outcomes []string) *Outbound {
	label := []string{"target"}
	o := &Outbound{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jithook_outbound_attempts_total", Help: "Attempts to deliver, by target and outcome.",
		}, []string{"target", "outcome"}),
		behind: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jithook_outbound_delay_seconds", Help: "From the change of an identity to its delivery.",
			Buckets: []float64{.05, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600},
		}, label),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "jithook_outbound_waiting", Help: "Identities that a target has yet to learn of; no more than 10000 are counted.",
		}, label),
		dead: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "jithook_outbound_given_up", Help: "Identities whose delivery to a target was given up; no more than 10000 are counted.",
		}, label),
		overdue: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "jithook_outbound_overdue_seconds", Help: "For how long the oldest delivery that is due has been waiting for a worker or for its target; 0 if none is.",
		}, label),
	}
	for _, target := range targets {
		for _, outcome := range outcomes {
			o.attempts.WithLabelValues(target, outcome)
		}
	}
	m.registry.MustRegister(o.attempts, o.behind, o.waiting, o.dead, o.overdue)
	return o
}

// Attempted counts an attempt; delay, where it was delivered, is how long the
// target had been behind.
func (o *Outbound) Attempted(target, outcome string, delivered bool, delay time.Duration) {
	o.attempts.WithLabelValues(target, outcome).Inc()
	if delivered {
		o.behind.WithLabelValues(target).Observe(delay.Seconds())
	}
}

// Backlog notes what waits for a target.
func (o *Outbound) Backlog(target string, waiting, givenUp int, overdue time.Duration) {
	o.waiting.WithLabelValues(target).Set(float64(waiting))
	o.dead.WithLabelValues(target).Set(float64(givenUp))
	o.overdue.WithLabelValues(target).Set(max(0, overdue.Seconds()))
}
