package main

import (
	"maps"
	"slices"
	"time"

	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/kratosstate"
	"github.com/jithook/jithook/store"
)

// comparers are the worker's targets that can be asked what they have.
func comparers(w *outbound.Worker) map[string]outbound.Comparer {
	out := map[string]outbound.Comparer{}
	if w == nil {
		return out
	}
	for name, c := range w.Connectors {
		if comparer, ok := outbound.Comparable(c); ok {
			out[name] = comparer
		}
	}
	return out
}

// worker returns what delivers to other systems, nil if there is none to tell.
func (a *app) worker() (*outbound.Worker, error) {
	connectors, err := a.targetConnectors()
	if err != nil {
		return nil, err
	}
	for instance, admin := range a.service.Kratos {
		connectors[kratos.StateTarget(instance)] = kratosstate.Connector{Admin: admin, Instance: instance, MayReturn: a.service.MayReturn}
	}
	if len(connectors) == 0 {
		return nil, nil
	}
	var outcomes []string
	for _, o := range outbound.Outcomes() {
		outcomes = append(outcomes, string(o))
	}
	a.service.Blocking = map[string]bool{}
	for _, t := range a.config.targets {
		if t.onFailure != "" {
			a.service.Blocking[t.name.Value] = t.onFailure == failureDeny
		}
	}
	m := a.metrics.Outbound(slices.Sorted(maps.Keys(connectors)), outcomes)
	w := &outbound.Worker{
		Store: a.queues(), Connectors: connectors, Now: now, Log: a.log, Tracer: a.spans.tracer(),
		Attempted: func(target string, o outbound.Outcome, behind time.Duration) {
			m.Attempted(target, string(o), o == outbound.Delivered, behind)
		},
		Surveyed: func(target string, b store.Backlog) {
			var overdue time.Duration
			if !b.Due.IsZero() {
				overdue = now().Sub(b.Due)
			}
			m.Backlog(target, b.Waiting, b.Dead, overdue)
		},
	}
	a.service.Await = w.Await
	return w, nil
}
