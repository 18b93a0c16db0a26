package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlp is OTLP over HTTP in protobuf. OpenTelemetry's own client brings all of
// gRPC, which would make the program half as large again.
type otlp struct {
	endpoint string
	headers  http.Header
	client   *http.Client
}

func newOTLP(endpoint string, headers http.Header) *otlp {
	return &otlp{endpoint, headers, &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		Timeout:   exportTime,
		// A redirect would carry the headers to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Start implements otlptrace.Client.
func (*otlp) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (o *otlp) Stop(context.Context) error {
	o.client.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. What is posted is the message
// ExportTraceServiceRequest, which is TracesData on the wire. It is tried once:
// more come, and nobody keeps them meanwhile.
func (o *otlp) UploadTraces(ctx context.Context, spans []*collector.ResourceSpans) error {
	body, err := proto.Marshal(&collector.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = o.headers.Clone()
	r.Header.Set("Content-Type", "application/x-protobuf")
	reply, err := o.client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if _, err := io.CopyN(io.Discard, reply.Body, maxCollectorReply); err != nil && err != io.EOF {
		return err
	}
	if reply.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answered %d", reply.StatusCode)
	}
	return nil
}

// maxCollectorReply bounds what is read of an answer so that its connection can
// be used again, in bytes.
const maxCollectorReply = 64 << 10

// exporter says in the log what OpenTelemetry would print beside it.
type exporter struct {
	*otlptrace.Exporter
	log *slog.Logger
}

// ExportSpans implements sdk.SpanExporter.
func (e exporter) ExportSpans(ctx context.Context, all []sdk.ReadOnlySpan) error {
	if err := e.Exporter.ExportSpans(ctx, all); err != nil {
		e.log.Warn("traces are lost: the collector has not taken them", "spans", len(all), "error", err)
	}
	return nil
}
