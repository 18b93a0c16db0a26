package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"golang.org/x/net/http/httpguts"

	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store/traced"
)

const (
	// exportTime bounds one export, and flushTime what the end of the server
	// waits for the last of them.
	exportTime = 10 * time.Second
	flushTime  = 2 * time.Second
	// tracesPath is where a collector takes traces.
	tracesPath = "/v1/traces"
)

// telemetry is the section, checked.
type telemetry struct {
	endpoint string
	sample   float64
	headers  map[string]secret
}

func (r *configReader) telemetry(s *telemetrySection) *telemetry {
	if s == nil {
		return nil
	}
	t := &telemetry{sample: 1, headers: map[string]secret{}}
	for _, h := range s.Headers {
		t.headers[h.Key.Value] = r.secret(h.Value)
		if !httpguts.ValidHeaderFieldName(h.Key.Value) {
			r.wrong(h.Key, "%q is no name of a header", h.Key.Value)
		}
	}
	if s.Sample != nil {
		t.sample = float64(*s.Sample)
	}
	u, err := url.Parse(s.Endpoint.Value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || strings.Contains(s.Endpoint.Value, "#"):
		r.wrong(s.Endpoint, "endpoint is the http or https URL of a collector, without query and fragment: http://127.0.0.1:4318")
		return t
	case u.User != nil:
		r.wrong(s.Endpoint, "endpoint must not hold a password: headers can have one sent")
		return t
	case strings.Trim(u.Path, "/") == "":
		u.Path = tracesPath
	}
	t.endpoint = u.String()
	return t
}

// spans is what traces are made with, and their way out. A nil one makes none.
type spans struct {
	provider *sdk.TracerProvider
	log      *slog.Logger
}

// trace has the app's parts make spans, if the configuration has telemetry.
// What cannot be exported is lost: neither a login nor the server's end waits for
// a collector.
func (a *app) trace() error {
	if a.config.telemetry == nil {
		return nil
	}
	ctx := context.Background()
	headers := http.Header{}
	for name, value := range a.config.telemetry.headers {
		text, err := value.read()
		if err != nil {
			return err
		}
		headers.Set(name, text)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("jithook"), semconv.ServiceVersion(versionText())), resource.WithFromEnv())
	if err != nil {
		return fmt.Errorf("telemetry: the environment's OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	a.spans = &spans{log: a.log, provider: sdk.NewTracerProvider(
		sdk.WithBatcher(exporter{otlptrace.NewUnstarted(newOTLP(a.config.telemetry.endpoint, headers)), a.log}), sdk.WithResource(about),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(a.config.telemetry.sample))),
	)}
	d := traced.Directory{Directory: a.store}
	a.service.Store, a.service.Editable, a.service.Journal, a.service.Receipts, a.service.Budgets = d, d, d, d, d
	return nil
}

// queues is the store as a worker sees it.
func (a *app) queues() outbound.Store {
	if a.spans == nil {
		return a.store
	}
	return traced.Directory{Directory: a.store}
}

func (s *spans) tracer() *tracing.Tracer {
	if s == nil {
		return nil
	}
	return tracing.New(s.provider)
}

// stop sends what is left, for a moment at most.
func (s *spans) stop() {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := s.provider.Shutdown(ctx); err != nil {
		s.log.Warn("the last traces are lost: the collector does not take them")
	}
}
