package deploy_test

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/metrics"
)

// every is how often Prometheus scrapes.
const every = 30 * time.Second

// sample is one value of a metric.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) ST() int64                     { return 0 }
func (s sample) Copy() chunks.Sample           { return s }

// watched is a server whose metrics Prometheus scrapes.
type watched struct {
	*metrics.Metrics
	outbound *metrics.Outbound
	now      time.Time
	names    map[string]labels.Labels
	samples  map[string][]chunks.Sample
}

// newWatched is a server as serve starts one, with a provider that may hold a change
// of groups.
func newWatched() *watched {
	m := metrics.New("v1.2.3")
	m.ProvidersLoaded(1, []string{"acme"}, true)
	m.CallerRefused("unknown_key", 0)
	w := &watched{Metrics: m, outbound: m.Outbound([]string{"hr"}, []string{"done"}), now: time.Unix(1_800_000_000, 0), names: map[string]labels.Labels{}, samples: map[string][]chunks.Sample{}}
	w.outbound.Backlog("hr", 0, 0, 0)
	return w
}

// scrape has Prometheus read /metrics once.
func (w *watched) scrape(t *testing.T) {
	t.Helper()
	w.now = w.now.Add(every)
	reply := httptest.NewRecorder()
	w.Handler().ServeHTTP(reply, httptest.NewRequest("GET", "/metrics", nil))
	decoder := &expfmt.SampleDecoder{Dec: expfmt.NewDecoder(reply.Body, expfmt.NewFormat(expfmt.TypeTextPlain)), Opts: &expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(w.now.UnixNano())}}
	for {
		var vector model.Vector
		err := decoder.Decode(&vector)
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range vector {
			id := s.Metric.String()
			if _, ok := w.names[id]; !ok {
				b := labels.NewBuilder(labels.FromStrings("job", "jithook", "instance", "one"))
				for name, value := range s.Metric {
					b.Set(string(name), string(value))
				}
				w.names[id] = b.Labels()
			}
			w.samples[id] = append(w.samples[id], sample{int64(s.Timestamp), float64(s.Value)})
		}
	}
}

// Querier returns what was scraped until maxt; a query asks for windows of it.
func (w *watched) Querier(_, _ int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		var found []storage.Series
		for id, name := range w.names {
			if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(name.Get(m.Name)) }) {
				continue
			}
			window := slices.DeleteFunc(slices.Clone(w.samples[id]), func(s chunks.Sample) bool { return s.T() < hints.Start || s.T() > hints.End })
			found = append(found, storage.NewListSeries(name, window))
		}
		return &series{all: found}
	}}, nil
}

// series goes through what was found.
type series struct {
	all []storage.Series
	now storage.Series
}

func (s *series) Next() bool {
	if len(s.all) == 0 {
		return false
	}
	s.now, s.all = s.all[0], s.all[1:]
	return true
}
func (s *series) At() storage.Series                { return s.now }
func (s *series) Err() error                        { return nil }
func (s *series) Warnings() annotations.Annotations { return nil }

// alerts reports whether a rule fires now: at every evaluation of the time that it
// waits for.
func (w *watched) alerts(t *testing.T, engine *promql.Engine, rule rulefmt.Rule) bool {
	t.Helper()
	for at := w.now.Add(-time.Duration(rule.For)); !at.After(w.now); at = at.Add(every) {
		q, err := engine.NewInstantQuery(t.Context(), w, nil, rule.Expr, at)
		if err != nil {
			t.Fatal(err)
		}
		vector, err := q.Exec(t.Context()).Vector()
		if err != nil {
			t.Fatalf("%s: %v", rule.Alert, err)
		}
		if len(vector) == 0 {
			return false
		}
	}
	return true
}

// TestAlertsFire: each alert fires for what it is about, and none for a server that
// does its work. What a scrape shows is what jithook exports.
func TestAlertsFire(t *testing.T) {
	login := func(d identity.Decision, code identity.Code, took time.Duration) func(*watched) {
		return func(w *watched) {
			w.Login(identity.Record{Hook: identity.HookLogin, Provider: "acme", Policy: "d1", Decision: d, Reasons: []identity.Reason{identity.Because(code)}, Duration: took})
		}
	}
	good := login(identity.Unchanged, identity.CodeUnchanged, time.Millisecond)
	once := func(do func(*watched)) func(*watched, int) {
		return func(w *watched, n int) {
			if n == 0 {
				do(w)
			}
		}
	}
	each := func(times int, do func(*watched)) func(*watched, int) {
		return func(w *watched, _ int) {
			for range times {
				do(w)
			}
		}
	}
	// What happens between two scrapes, n of them after the start.
	happens := map[string]func(w *watched, n int){
		"JithookDown":              nil, // nobody scrapes
		"JithookLoginsFail":        each(5, login(identity.Error, identity.CodeStoreUnavailable, time.Millisecond)),
		"JithookStoreErrors":       each(5, func(w *watched) { w.StoreError("ping") }),
		"JithookSlow":              each(5, login(identity.Unchanged, identity.CodeUnchanged, 1400*time.Millisecond)),
		"JithookOverloaded":        each(5, func(w *watched) { w.RequestShed() }),
		"JithookRefusesMany":       each(50, login(identity.Denied, identity.CodeRuleError, time.Millisecond)),
		"JithookProvidersBroken":   once(func(w *watched) { w.ProvidersLoaded(1, []string{"acme"}, false) }),
		"JithookNoProviders":       once(func(w *watched) { w.ProvidersLoaded(0, nil, true) }),
		"JithookCallersRefused":    each(50, func(w *watched) { w.CallerRefused("unknown_key", 1) }),
		"JithookRecordsDropped":    once(func(w *watched) { w.RecordDropped() }),
		"JithookGroupChangesHeld":  once(login(identity.Unchanged, identity.CodeGroupChangeHeld, time.Millisecond)),
		"JithookDeliveriesGivenUp": once(func(w *watched) { w.outbound.Backlog("hr", 1, 1, 0) }),
		"JithookDeliveriesLate":    once(func(w *watched) { w.outbound.Backlog("hr", 1, 0, time.Hour) }),
	}
	groups, problems := rulefmt.ParseFile(chart+"/alerts.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	const quiet, scrapes = 10, 60 // half an hour of whatever it is, after five minutes
	fires := func(happens func(*watched, int)) (fired []string) {
		w := newWatched()
		for n := range quiet + scrapes {
			for range 10 {
				good(w)
			}
			if n >= quiet && happens != nil {
				happens(w, n-quiet)
			}
			w.scrape(t)
			if n < quiet {
				continue
			}
			for _, rule := range groups.Groups[0].Rules {
				if !slices.Contains(fired, rule.Alert) && w.alerts(t, engine, rule) {
					fired = append(fired, rule.Alert)
				}
			}
		}
		return fired
	}
	if fired := fires(nil); len(fired) > 0 {
		t.Errorf("nothing is wrong, and %q fire", fired)
	}
	for _, rule := range groups.Groups[0].Rules {
		t.Run(rule.Alert, func(t *testing.T) {
			what, ok := happens[rule.Alert]
			if !ok {
				t.Fatal("nothing here makes it fire")
			}
			if what == nil {
				if w := newWatched(); !w.alerts(t, engine, rule) {
					t.Error("it does not fire")
				}
				return
			}
			if fired := fires(what); !slices.Equal(fired, []string{rule.Alert}) {
				t.Errorf("%q fire", fired)
			}
		})
	}
}
