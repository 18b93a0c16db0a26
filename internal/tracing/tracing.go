// Package tracing follows a request through jithook in spans of OpenTelemetry,
// below the span of whoever sent it.
//
// It owns where a trace begins, what is believed of a caller's, and what a span
// can say: names and words of the source, ids of our own, and numbers. It must not
// know where spans go: nothing here imports OpenTelemetry's SDK, and as long as
// nobody has begun a trace, Start does nothing.
package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/jithook/jithook"

// Tracer begins traces. A nil one begins none.
type Tracer struct{ tracer trace.Tracer }

// New returns what begins traces of the provider, which decides whether one is
// sampled.
func New(p trace.TracerProvider) *Tracer { return &Tracer{p.Tracer(scope)} }

// Receive begins the span of a request, below the span of its sender if the
// headers name one. The span is of a trace of its own if they do not, or not as
// the W3C's Trace Context says. Only who may call should get here: the caller
// says whether a trace is sampled.
func (t *Tracer) Receive(ctx context.Context, h http.Header, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(parent(ctx, h), name, trace.WithSpanKind(trace.SpanKindServer))
	return ctx, Span{s}
}

// Begin begins a trace of our own. It is linked to the span that Carry has
// described, unless because is empty.
func (t *Tracer) Begin(ctx context.Context, name, because string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	options := []trace.SpanStartOption{trace.WithNewRoot()}
	if from := described(because); from.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: from}))
	}
	ctx, s := t.tracer.Start(ctx, name, options...)
	return ctx, Span{s}
}

// Start begins a span below the one of ctx. Where that is none, or is not
// sampled, there is nothing below it.
func Start(ctx context.Context, name string) (context.Context, Span) {
	return start(ctx, name, trace.SpanKindInternal)
}

// Call is Start for a request to another system. The header tells that system of
// the trace.
func Call(ctx context.Context, name string, h http.Header) (context.Context, Span) {
	ctx, s := start(ctx, name, trace.SpanKindClient)
	if s.s != nil {
		h.Set(header, Carry(ctx))
	}
	return ctx, s
}

func start(ctx context.Context, name string, kind trace.SpanKind) (context.Context, Span) {
	above := trace.SpanFromContext(ctx)
	if !above.IsRecording() {
		return ctx, Span{}
	}
	ctx, s := above.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithSpanKind(kind))
	return ctx, Span{s}
}

// Current returns the span of ctx, which may be none.
func Current(ctx context.Context) Span {
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return Span{s}
	}
	return Span{}
}

// Span is a span or, as the zero Span, none.
type Span struct{ s trace.Span }

// Set notes a word of a closed list, a name in the configuration, or an id of
// our own. What a person or a provider said, or a secret, is none of these.
func (s Span) Set(key, word string) {
	if s.s != nil && word != "" {
		s.s.SetAttributes(attribute.String(key, word))
	}
}

// Count notes a number.
func (s Span) Count(key string, n int) {
	if s.s != nil {
		s.s.SetAttributes(attribute.Int(key, n))
	}
}

// Fail says that what the span is about has failed. Why stands in the log.
func (s Span) Fail() {
	if s.s != nil {
		s.s.SetStatus(codes.Error, "")
	}
}

// End ends the span, failed if err is one. The text of an error stays out of it:
// spans go to another system.
func (s Span) End(err error) {
	if s.s == nil {
		return
	}
	if err != nil {
		s.Fail()
	}
	s.s.End()
}

const header = "traceparent"

// w3c reads and writes traceparent and nothing else: it is of a fixed form and
// length. What tracestate and baggage hold a caller is free to choose, so it is
// neither kept nor passed on.
type w3c struct{ value string }

func (c w3c) Get(key string) string {
	if key == header {
		return c.value
	}
	return ""
}

func (c *w3c) Set(key, value string) {
	if key == header {
		c.value = value
	}
}

func (c w3c) Keys() []string { return []string{header} }

// parent returns ctx with the span that the headers name. Two of them are none.
func parent(ctx context.Context, h http.Header) context.Context {
	if all := h.Values(header); len(all) == 1 {
		return propagation.TraceContext{}.Extract(ctx, &w3c{all[0]})
	}
	return ctx
}

// Carry describes the span of ctx, for Begin; empty if there is none that is
// sampled.
func Carry(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	var c w3c
	propagation.TraceContext{}.Inject(ctx, &c)
	return c.value
}

func described(span string) trace.SpanContext {
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), &w3c{span}))
}
