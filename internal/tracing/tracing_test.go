// These tests prove what is believed of a caller's headers, that nothing is begun
// and nothing costs where nobody traces, and that a log line names its span.
package tracing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/jithook/jithook/internal/tracing"
)

const (
	theirTrace  = "0af7651916cd43dd8448eb211c80319c"
	theirSpan   = "b7ad6b7169203331"
	traceparent = "00-" + theirTrace + "-" + theirSpan + "-01"
)

func tracer(sampler sdk.Sampler) (*tracing.Tracer, *tracetest.InMemoryExporter) {
	spans := tracetest.NewInMemoryExporter()
	return tracing.New(sdk.NewTracerProvider(sdk.WithSyncer(spans), sdk.WithSampler(sampler))), spans
}

func TestReceive(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		below  bool
	}{
		"well-formed":       {http.Header{"Traceparent": {traceparent}}, true},
		"a later version":   {http.Header{"Traceparent": {"cc" + traceparent[2:] + "-what-comes"}}, true},
		"none":              {nil, false},
		"empty":             {http.Header{"Traceparent": {""}}, false},
		"two":               {http.Header{"Traceparent": {traceparent, traceparent}}, false},
		"capitals":          {http.Header{"Traceparent": {strings.ToUpper(traceparent)}}, false},
		"no hexadecimals":   {http.Header{"Traceparent": {strings.Replace(traceparent, "0af", "xyz", 1)}}, false},
		"a trace of zeros":  {http.Header{"Traceparent": {"00-" + strings.Repeat("0", 32) + "-" + theirSpan + "-01"}}, false},
		"a span of zeros":   {http.Header{"Traceparent": {"00-" + theirTrace + "-" + strings.Repeat("0", 16) + "-01"}}, false},
		"version ff":        {http.Header{"Traceparent": {"ff" + traceparent[2:]}}, false},
		"too long":          {http.Header{"Traceparent": {traceparent + strings.Repeat("0", 60_000)}}, false},
		"too short":         {http.Header{"Traceparent": {traceparent[:40]}}, false},
		"only a tracestate": {http.Header{"Tracestate": {"a=b"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tr, spans := tracer(sdk.AlwaysSample())
			if c.header != nil {
				c.header.Set("Tracestate", "vendor=canary")
				c.header.Set("Baggage", "user=canary")
			}
			ctx, span := tr.Receive(t.Context(), c.header, "hook")
			sent := http.Header{}
			_, call := tracing.Call(ctx, "call", sent)
			call.End(nil)
			span.End(nil)
			all := spans.GetSpans()
			if len(all) != 2 {
				t.Fatalf("%d spans", len(all))
			}
			hook := all[1]
			if below := hook.Parent.IsValid(); below != c.below || below && (hook.Parent.TraceID().String() != theirTrace || hook.Parent.SpanID().String() != theirSpan) {
				t.Errorf("below %v", hook.Parent)
			}
			if hook.SpanContext.TraceState().Len() > 0 || len(sent) != 1 || !strings.HasPrefix(sent.Get("Traceparent"), "00-"+hook.SpanContext.TraceID().String()) {
				t.Errorf("passed on: %v, %v", hook.SpanContext.TraceState(), sent)
			}
			if all[0].Parent.SpanID() != hook.SpanContext.SpanID() || all[0].SpanKind != trace.SpanKindClient || hook.SpanKind != trace.SpanKindServer {
				t.Errorf("not below one another: %+v", all)
			}
		})
	}
}

// TestSampling: what the caller has not sampled is named in the log, and is nothing
// more.
func TestSampling(t *testing.T) {
	tr, spans := tracer(sdk.ParentBased(sdk.AlwaysSample()))
	ctx, span := tr.Receive(t.Context(), http.Header{"Traceparent": {traceparent[:53] + "00"}}, "hook")
	sent := http.Header{}
	inside, below := tracing.Call(ctx, "below", sent)
	below.Set("key", "word")
	below.End(nil)
	span.End(nil)
	if len(spans.GetSpans()) != 0 || inside != ctx || len(sent) != 0 || tracing.Carry(ctx) != "" {
		t.Errorf("%d spans, carried %q, sent %v", len(spans.GetSpans()), tracing.Carry(ctx), sent)
	}
	if got := line(t, ctx)["trace_id"]; got != theirTrace {
		t.Errorf("trace_id %v", got)
	}
}

// TestNobodyTraces: all of it may be called, and costs no memory.
func TestNobodyTraces(t *testing.T) {
	var none *tracing.Tracer
	ctx, received := none.Receive(t.Context(), http.Header{"Traceparent": {traceparent}}, "hook")
	begun, span := none.Begin(ctx, "deliver", traceparent)
	received.End(nil)
	span.Fail()
	if ctx != t.Context() || begun != ctx || tracing.Carry(ctx) != "" {
		t.Error("something has begun")
	}
	if n := testing.AllocsPerRun(100, func() {
		inside, s := tracing.Start(ctx, "store.find")
		s.Set("key", "word")
		s.Count("found", 1)
		tracing.Current(inside).Set("key", "word")
		s.End(errStore)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if got := line(t, ctx); got["trace_id"] != nil || got["span_id"] != nil {
		t.Errorf("logged %v", got)
	}
}

var errStore = errors.New("canary")

// TestBegin: a delivery has a trace of its own, linked to what armed it.
func TestBegin(t *testing.T) {
	for name, c := range map[string]struct {
		because string
		links   int
	}{"armed by a traced login": {traceparent, 1}, "by another": {"", 0}, "damaged": {"00-canary", 0}} {
		t.Run(name, func(t *testing.T) {
			tr, spans := tracer(sdk.AlwaysSample())
			_, span := tr.Begin(t.Context(), "outbound.deliver", c.because)
			span.End(nil)
			got := spans.GetSpans()[0]
			if len(got.Links) != c.links || got.Parent.IsValid() || got.SpanContext.TraceID().String() == theirTrace {
				t.Errorf("%+v", got)
			}
			if c.links > 0 && got.Links[0].SpanContext.SpanID().String() != theirSpan {
				t.Errorf("linked to %v", got.Links[0].SpanContext)
			}
		})
	}
}

// TestCarry: what is carried is what Begin reads, and an error's text stays here.
func TestCarry(t *testing.T) {
	tr, spans := tracer(sdk.AlwaysSample())
	ctx, span := tr.Receive(t.Context(), nil, "hook")
	carried := tracing.Carry(ctx)
	span.End(errStore)
	_, delivery := tr.Begin(t.Context(), "deliver", carried)
	delivery.End(nil)
	all := spans.GetSpans()
	if all[1].Links[0].SpanContext.SpanID() != all[0].SpanContext.SpanID() {
		t.Errorf("%s is not %v", carried, all[0].SpanContext)
	}
	if s := all[0]; s.Status.Code.String() != "Error" || s.Status.Description != "" || len(s.Events) > 0 {
		t.Errorf("%+v", s)
	}
	if got := line(t, ctx); got["trace_id"] != all[0].SpanContext.TraceID().String() || got["span_id"] != all[0].SpanContext.SpanID().String() {
		t.Errorf("logged %v", got)
	}
}

// line is a log line about ctx.
func line(t *testing.T, ctx context.Context) map[string]any {
	t.Helper()
	var out bytes.Buffer
	slog.New(tracing.Log(slog.NewJSONHandler(&out, nil))).With("a", 1).InfoContext(ctx, "done")
	var fields map[string]any
	if err := json.Unmarshal(out.Bytes(), &fields); err != nil || fields["a"] != 1.0 {
		t.Fatalf("%v: %s", err, out.String())
	}
	return fields
}
