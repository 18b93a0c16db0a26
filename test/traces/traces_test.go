//go:build unix

// Package traces_test proves, on the running program and with a collector in
// memory, that one trace leads from a caller's traceparent through the hook, the
// claims, the plan and the stores to Kratos's Admin API, that a delivery is linked to
// the login that armed it, that every decision is one log line which names its
// span, and that a collector which is down, or never answers, keeps neither a login
// nor the end of the server waiting.
package traces_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/jithook/jithook/test/server"
)

const (
	theirTrace  = "0af7651916cd43dd8448eb211c80319c"
	theirSpan   = "b7ad6b7169203331"
	traceparent = "00-" + theirTrace + "-" + theirSpan + "-01"
)

const acme = `
version: 1
provider: acme
issuer: https://acme.example
claims: {source: [kratos_metadata, kratos_admin, hook_body]}
outbound: [events]
jit: {enabled: true, allow: "true"}
traits:
  email: {value: claims.email}
  note: {value: claims.note}
`

// memory is a collector.
type memory struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*collector.Span
	about string // of whom the spans are
}

func newMemory(t *testing.T) *memory {
	t.Helper()
	m := &memory{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collector.TracesData
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("X-Team") != server.Secret {
			t.Errorf("sent to %s: %v, %v", r.URL, r.Header, err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, of := range sent.ResourceSpans {
			m.about = of.Resource.String()
			for _, s := range of.ScopeSpans {
				m.spans = append(m.spans, s.Spans...)
			}
		}
	}))
	t.Cleanup(m.Close)
	return m
}

// all are the spans that have come, by their own ids.
func (m *memory) all() map[string]*collector.Span {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]*collector.Span{}
	for _, s := range m.spans {
		out[hex.EncodeToString(s.SpanId)] = s
	}
	return out
}

// path is where a span stands below those of its trace, from the caller's own.
func path(all map[string]*collector.Span, s *collector.Span) string {
	parent := hex.EncodeToString(s.ParentSpanId)
	switch above := all[parent]; {
	case above != nil:
		return path(all, above) + " > " + s.Name
	case parent == theirSpan:
		return "caller > " + s.Name
	}
	return s.Name
}

func (m *memory) section() map[string]any {
	return map[string]any{"endpoint": m.URL, "headers": map[string]any{"X-Team": "env:JITHOOK_TEST_SECRET"}}
}

// fakeKratos is an Admin API that has everybody, and keeps the traceparents of its
// callers.
func fakeKratos(t *testing.T) (url string, seen func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, r.Header.Get("Traceparent"))
		if r.Header.Get("Baggage")+r.Header.Get("Tracestate") != "" {
			t.Errorf("a caller's headers are passed on: %v", r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"`+kratosID+`","schema_id":"default","schema_url":"http://x","state":"active","traits":{},"credentials":{"oidc":{"type":"oidc","identifiers":["acme:canary-subject"]}}}`)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(all) }
}

const kratosID = "6d6a3e39-5b7a-4d5f-9a1f-0c6b0d1d2e3f"

// login is what Kratos posts after a federated sign-in.
func login(email string) any {
	person := map[string]any{
		"provider": "acme", "issuer": "https://acme.example", "subject": "canary-subject",
		"claims": map[string]any{"sub": "canary-subject", "email": email, "note": "canary-note"},
	}
	return map[string]any{
		"version": 1, "flow": map[string]any{"id": "f-1"},
		"identity": map[string]any{"id": kratosID, "traits": map[string]any{"email": email}, "metadata_public": map[string]any{"jithook": person}},
		"session":  map[string]any{"authentication_methods": []any{map[string]any{"method": "oidc", "provider": "acme"}}},
	}
}

func generic(subject string) map[string]any {
	return map[string]any{"version": 1, "provider": "acme", "subject": subject, "claims": map[string]any{"email": subject + "@acme.example", "note": "canary-note"}}
}

func start(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	c.Binary = server.Build(t)
	c.Store = map[string]any{"bolt": map[string]any{"path": "jithook.db"}}
	c.Providers = map[string]string{"acme.yaml": acme}
	if c.Outbound == nil {
		c.Providers["acme.yaml"] = strings.Replace(acme, "outbound: [events]\n", "", 1)
	}
	s := server.Start(t, c)
	s.AwaitReady(t)
	return s
}

// TestTrace: from Kratos's own span down to what is asked of its Admin API and to
// the store, and from there to the delivery that a login has armed.
func TestTrace(t *testing.T) {
	spans := newMemory(t)
	kratos, asked := fakeKratos(t)
	told := make(chan struct{}, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" {
			t.Error("another system is told of a trace")
		}
		told <- struct{}{}
	}))
	t.Cleanup(receiver.Close)
	s := start(t, server.Config{
		Telemetry: spans.section(),
		Kratos:    map[string]any{"instances": map[string]any{server.Instance: map[string]any{"admin_url": kratos}}},
		Outbound:  map[string]any{"events": map[string]any{"webhook": map[string]any{"url": receiver.URL, "secret": "env:JITHOOK_TEST_WEBHOOK_SECRET"}}},
	})
	header := http.Header{"Traceparent": {traceparent}, "Tracestate": {"vendor=canary-state"}, "Baggage": {"user=canary-baggage"}}
	if a := s.PostWith(t, "/hooks/kratos/login", login("canary@acme.example"), header); a.Status != http.StatusNoContent {
		t.Fatalf("login: %d %s", a.Status, a.Body)
	}
	changed := generic("canary-subject")
	changed["claims"] = map[string]any{"email": "canary@acme.example", "note": "canary-other"}
	if a := s.PostWith(t, "/hooks/login", changed, header); a.Status != http.StatusOK {
		t.Fatalf("generic: %d %s", a.Status, a.Body)
	}
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was delivered")
	}
	log := s.Log(t)
	if err := s.Process.Stop(); err != nil {
		t.Fatal(err)
	}

	all := spans.all()
	var paths []string
	deliveries := 0
	for _, span := range all {
		if span.Name == "outbound.deliver" && len(span.Links) == 1 && all[hex.EncodeToString(span.Links[0].SpanId)] != nil {
			deliveries++
		}
		if hex.EncodeToString(span.TraceId) == theirTrace {
			paths = append(paths, path(all, span))
		} else if !strings.Contains(path(all, span), "outbound.deliver") {
			t.Errorf("%s is in a trace of its own", path(all, span))
		}
		for _, canary := range []string{"canary", server.Secret, kratosID} {
			if strings.Contains(span.String(), canary) {
				t.Errorf("a span holds %s: %s", canary, span)
			}
		}
	}
	slices.Sort(paths)
	want := []string{
		"caller > hook /hooks/kratos/login",
		"caller > hook /hooks/kratos/login > provision",
		"caller > hook /hooks/kratos/login > provision > kratos.admin",
		"caller > hook /hooks/kratos/login > provision > provision.plan",
		"caller > hook /hooks/kratos/login > provision > provision.plan > claims",
		"caller > hook /hooks/kratos/login > provision > provision.plan > store.find",
		"caller > hook /hooks/kratos/login > provision > store.insert",
		"caller > hook /hooks/login",
		"caller > hook /hooks/login > provision",
		"caller > hook /hooks/login > provision > provision.plan",
		"caller > hook /hooks/login > provision > provision.plan > claims",
		"caller > hook /hooks/login > provision > provision.plan > store.find",
		"caller > hook /hooks/login > provision > store.swap",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("the trace (-want +got):\n%s", diff)
	}
	if deliveries == 0 {
		t.Error("no delivery is linked to the login that armed it")
	}
	if !strings.Contains(spans.about, "jithook") {
		t.Errorf("spans of %s", spans.about)
	}
	if at := asked(); len(at) != 1 || !strings.HasPrefix(at[0], "00-"+theirTrace) || strings.Contains(at[0], theirSpan) {
		t.Errorf("Kratos was told of %v", at)
	}
	decided := decisions(t, log)
	if len(decided) != 2 {
		t.Fatalf("%d log lines for 2 decisions:\n%s", len(decided), log)
	}
	for _, line := range decided {
		span := all[fmt.Sprint(line["span_id"])]
		if line["trace_id"] != theirTrace || span == nil || span.Name != "provision" || !strings.Contains(span.String(), fmt.Sprint(line["decision_id"])) {
			t.Errorf("the line %v names %v", line, span)
		}
	}
}

// decisions are the lines of a log that are one decision each.
func decisions(t *testing.T, log string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(log) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == "login decided" {
			found = append(found, fields)
		}
	}
	return found
}

// TestSampled: what the caller has not sampled is not exported, nor what a stranger
// says is.
func TestSampled(t *testing.T) {
	spans := newMemory(t)
	s := start(t, server.Config{Telemetry: spans.section()})
	s.PostWith(t, "/hooks/login", generic("s-1"), http.Header{"Traceparent": {traceparent[:53] + "00"}})
	s.PostWith(t, "/hooks/login", generic("s-2"), http.Header{"Traceparent": {traceparent}, "X-Api-Key": {"a-stranger's-key"}})
	s.PostWith(t, "/hooks/login", generic("s-3"), http.Header{"Traceparent": {"no-traceparent"}})
	if err := s.Process.Stop(); err != nil {
		t.Fatal(err)
	}
	all := spans.all()
	for _, span := range all {
		if hex.EncodeToString(span.TraceId) == theirTrace {
			t.Errorf("exported: %s", path(all, span))
		}
	}
	if len(all) != 6 { // those of s-3
		t.Errorf("%d spans", len(all))
	}
}

// TestSample: sample is for traces that begin here; of those that a caller began,
// the caller has decided.
func TestSample(t *testing.T) {
	spans := newMemory(t)
	section := spans.section()
	section["sample"] = 1e-9
	s := start(t, server.Config{Telemetry: section})
	for n := range 20 {
		s.PostWith(t, "/hooks/login", generic(fmt.Sprint("s-", n)), nil)
	}
	s.PostWith(t, "/hooks/login", generic("s-20"), http.Header{"Traceparent": {traceparent}})
	s.PostWith(t, "/hooks/login", generic("s-21"), http.Header{"Traceparent": {traceparent[:53] + "00"}})
	log := s.Log(t)
	if err := s.Process.Stop(); err != nil {
		t.Fatal(err)
	}
	all := spans.all()
	for _, span := range all {
		if hex.EncodeToString(span.TraceId) != theirTrace {
			t.Errorf("exported of a trace that began here: %s", path(all, span))
		}
	}
	if len(all) != 6 { // those of s-20
		t.Errorf("%d spans", len(all))
	}
	// Sampled or not, a line names its trace.
	for _, line := range decisions(t, log) {
		if line["trace_id"] == nil || line["span_id"] == nil {
			t.Errorf("without a trace: %v", line)
		}
	}
}

// TestCollectorFails: neither logins nor the end of the server wait for it, and the
// log says what is lost.
func TestCollectorFails(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	over := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-over
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(over) })
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "canary")
	}))
	t.Cleanup(refusing.Close)
	for name, endpoint := range map[string]string{"down": "http://" + closed.Addr().String(), "silent": silent.URL, "refusing": refusing.URL} {
		t.Run(name, func(t *testing.T) {
			s := start(t, server.Config{Telemetry: map[string]any{"endpoint": endpoint}})
			// More spans than there is room for.
			for n := range 700 {
				if a := s.Post(t, "/hooks/login", generic(fmt.Sprint("s-", n%7))); a.Status != http.StatusOK || a.Took > time.Second {
					t.Fatalf("login %d: %d after %v", n, a.Status, a.Took)
				}
			}
			began := time.Now()
			if err := s.Process.Stop(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("the server took %v to end", took)
			}
			log := s.Log(t)
			if !strings.Contains(log, "traces are lost") || !strings.Contains(log, `"stopped"`) || strings.Contains(log, "canary") {
				t.Errorf("the log:\n%s", s.Process.LogTail())
			}
		})
	}
}
