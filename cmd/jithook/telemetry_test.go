package main

import (
	"strings"
	"testing"
)

// TestTelemetryEndpoint: what is no address of a collector over HTTP is refused where
// it is written, and a base gets the path that collectors have.
func TestTelemetryEndpoint(t *testing.T) {
	for name, c := range map[string]struct{ endpoint, want, wrong string }{
		"host":          {"http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces", ""},
		"slash":         {"https://otel.example/", "https://otel.example/v1/traces", ""},
		"path":          {"https://otel.example/in/traces", "https://otel.example/in/traces", ""},
		"gRPC's form":   {"127.0.0.1:4317", "", "endpoint is the http or https URL"},
		"other scheme":  {"grpc://otel.example", "", "endpoint is the http or https URL"},
		"query":         {"https://otel.example/?key=1", "", "without query"},
		"fragment":      {"https://otel.example/#", "", "without query and fragment"},
		"with password": {"https://u:p@otel.example", "", "must not hold a password"},
	} {
		t.Run(name, func(t *testing.T) {
			s := telemetrySection{}
			s.Endpoint.Value = c.endpoint
			var r configReader
			got := r.telemetry(&s)
			expectProblem(t, r, c.wrong)
			if got.endpoint != c.want || got.sample != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// expectProblem fails unless the reader has the one problem that contains want, or
// none where want is empty.
func expectProblem(t *testing.T, r configReader, want string) {
	t.Helper()
	switch {
	case want == "" && len(r.problems) == 0:
	case len(r.problems) != 1 || want == "" || !strings.Contains(r.problems[0].Message, want):
		t.Errorf("problems %v, want %q", r.problems, want)
	}
}
