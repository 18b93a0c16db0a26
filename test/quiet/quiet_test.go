//go:build unix

// Package quiet_test proves S39: whatever personal or secret is sent to any
// endpoint, and whatever goes wrong with it, stands in no log of either format, no
// metric, span, refusal or decision record. It sends every call of testdata/calls.json,
// whose values hold a canary, to both stores: in good order, beside a Kratos and
// targets that answer with canaries, while the store fails in words that hold one,
// and while the code panics with one. It fails for a route without calls.
package quiet_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// canaries are what no output may hold: the word in what is sent, in clear and in
// base64, and the phone number.
var canaries = []string{"canary", "y2fuyxj5", "15112345"}

// call is a line of calls.json.
type call struct {
	Name, Method, Path string
	// Body names one of the bodies, Set changes it by JSON Pointer; Raw stands
	// for a body as it is. {NAME} in it, in a path or in a header is what an
	// earlier call has learned.
	Body   string
	Set    map[string]any
	Raw    string
	Header map[string]string
	// Signed is the id of a signed message, in place of a key.
	Signed string
	// Status is what is answered in good order, On where a store differs.
	Status int
	On     map[string]int
	// Learn names parts of the answer by JSON Pointer.
	Learn map[string]string
	// Shows says that the answer shows what it is asked for, to an administrator.
	Shows bool
}

func calls(t *testing.T) (list []call) {
	t.Helper()
	data, err := os.ReadFile("testdata/calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Bodies map[string]json.RawMessage
		Calls  []call
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Calls {
		if c.Body != "" {
			c.Raw = with(t, file.Bodies[c.Body], c.Set)
		}
		list = append(list, c)
	}
	return list
}

// with returns a body with members set.
func with(t *testing.T, body json.RawMessage, set map[string]any) string {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal(body, &whole); err != nil {
		t.Fatal(err)
	}
	for path, value := range set {
		at, steps := whole, strings.Split(path, "/")[1:]
		for _, s := range steps[:len(steps)-1] {
			at = at[s].(map[string]any)
		}
		at[steps[len(steps)-1]] = value
	}
	data, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// make sends a call and returns the answer. What an answer that refuses says is
// for logs and screens: it must be quiet.
func (h *house) make(t *testing.T, c call) (int, string) {
	t.Helper()
	method := cmp.Or(c.Method, http.MethodPost)
	fill := h.filler()
	body := fill.Replace(c.Raw)
	r := httptest.NewRequest(method, fill.Replace(c.Path), strings.NewReader(body))
	r.Host = "127.0.0.1"
	header := map[string]string{"Content-Type": "application/json", "Cookie": "ory_kratos_session=canary-cookie", "X-Api-Key": hookKey,
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate": "idp=canary-state", "Baggage": "user=canary@acme.example"}
	door := h.hooks
	switch {
	case isAdmin(c.Path):
		door = h.admin
		delete(header, "X-Api-Key")
		header["Authorization"] = "Bearer " + adminToken
	case c.Signed != "":
		delete(header, "X-Api-Key")
		maps.Copy(header, signature(t, c.Signed, body))
	}
	maps.Copy(header, c.Header)
	for name, value := range header {
		if value != "" {
			r.Header.Set(name, fill.Replace(value))
		} else {
			r.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	door.ServeHTTP(w, r)
	h.see(door, r, w.Code)
	answer := w.Body.String()
	if w.Code >= 400 || strings.HasPrefix(c.Path, "/admin/v1/decisions") && !c.Shows {
		quiet(t, c.Name+": the answer", answer)
	}
	return w.Code, answer
}

func isAdmin(path string) bool { return strings.HasPrefix(path, "/admin/") || path == "/metrics" }

// signature is what a message's headers are.
func signature(t *testing.T, id, body string) map[string]string {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signed, err := signer.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"Webhook-Id": id, "Webhook-Timestamp": strconv.FormatInt(now.Unix(), 10), "Webhook-Signature": signed}
}

// quiet fails if text holds a canary. It prints the neighbourhood, which names the
// culprit.
func quiet(t *testing.T, what, text string) {
	t.Helper()
	for _, c := range canaries {
		if at := strings.Index(strings.ToLower(text), c); at >= 0 {
			t.Errorf("%s holds a canary: …%s…", what, text[max(0, at-200):min(len(text), at+60)])
		}
	}
}

// all makes every call in order.
func (h *house) all(t *testing.T, want func(t *testing.T, c call, status int, body string)) {
	for _, c := range calls(t) {
		before := len(h.log.String())
		status, body := h.make(t, c)
		quiet(t, c.Name+": the log", h.log.String()[before:])
		want(t, c, status, body)
	}
}

// TestS39_Quiet: whatever records keep of the claims.
func TestS39_Quiet(t *testing.T) {
	for _, mode := range []identity.ClaimsMode{identity.ClaimsOff, identity.ClaimsHashed, identity.ClaimsFull} {
		t.Run(string(mode), func(t *testing.T) { testQuiet(t, mode) })
	}
}

func testQuiet(t *testing.T, mode identity.ClaimsMode) {
	stores(t, mode, func(t *testing.T, h *house) {
		h.all(t, func(t *testing.T, c call, status int, body string) {
			want := c.Status
			if other, ok := c.On[path.Base(t.Name())]; ok {
				want = other
			}
			if status != want {
				t.Errorf("%s: status %d, want %d: %s", c.Name, status, want, body)
			}
			h.learn(t, c, body)
		})
		if mode == identity.ClaimsOff { // what is delivered has no claims
			h.deliver(t, "hr", "crm", "events", "kratos:"+failing)
			if !strings.Contains(h.log.String(), "not delivered") {
				t.Error("no delivery failed")
			}
		}
		h.keep(t)
		records := h.records(t)
		for _, d := range []identity.Decision{identity.Created, identity.Updated, identity.Unchanged, identity.Denied, identity.Error, identity.Deleted} {
			if !strings.Contains(records, `"decision":"`+string(d)+`"`) {
				t.Errorf("no call came to the decision %q", d)
			}
		}
		if kept := strings.Contains(records, `"claims":{"mode":"`+string(mode)+`"`); kept != (mode != identity.ClaimsOff) {
			t.Errorf("claims are kept: %v", kept)
		}
		quiet(t, "the records", records)
		h.answered(t)

		h.panics.Store(true)
		h.all(t, func(*testing.T, call, int, string) {})
		h.panics.Store(false)
		h.fail()
		h.all(t, func(*testing.T, call, int, string) {})
		h.keep(t)
		for _, word := range []string{"panic in a hook", "panic in the admin API", string(identity.CodeStoreUnavailable), "claims refused", "records of decisions lost",
			"Kratos's Admin API not heard", "delivery given up", "a login's target has yet to learn of it", "a comparison with a target broke off",
			"caller refused", "login answered again", "not ready",
			`"msg":"login decided"`, `msg="login decided"`} {
			if !strings.Contains(h.log.String(), word) {
				t.Errorf("nothing was logged of %q: that failure was not met", word)
			}
		}
		quiet(t, "the log", h.log.String())
		h.traced(t)

		_, metrics := h.make(t, call{Name: "metrics", Method: http.MethodGet, Path: "/metrics"})
		if !strings.Contains(metrics, `decision="denied"`) {
			t.Errorf("the metrics count no denial:\n%s", metrics)
		}
		quiet(t, "the metrics", metrics)
	})
}

// traced holds everything that went to a collector to the same.
func (h *house) traced(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range h.spans.GetSpans() {
		seen[s.Name] = true
		quiet(t, "a span", fmt.Sprintf("%+v", s))
	}
	for _, name := range []string{"hook /hooks/kratos/login", "hook /hooks/login", "provision", "provision.plan", "claims", "kratos.admin", "outbound.deliver",
		"store.find", "store.insert", "store.swap", "store.record", "store.get", "store.receive", "store.decision", "store.settle"} {
		if !seen[name] {
			t.Errorf("there is no span %q", name)
		}
	}
}

// learn keeps what later calls need.
func (h *house) learn(t *testing.T, c call, body string) {
	t.Helper()
	for name, pointer := range c.Learn {
		if pointer == "" { // what was exported, without its first line and its last
			lines := strings.Split(strings.TrimSpace(body), "\n")
			h.learned[name] = strings.Join(lines[1:len(lines)-1], "\n")
			continue
		}
		var at any
		if err := json.Unmarshal([]byte(body), &at); err != nil {
			t.Fatal(err)
		}
		for step := range strings.SplitSeq(pointer[1:], "/") {
			switch v := at.(type) {
			case map[string]any:
				at = v[step]
			case []any:
				if at = nil; len(v) > 0 {
					at = v[0]
				}
			}
		}
		if h.learned[name] = fmt.Sprint(at); at == nil {
			t.Fatalf("%s: there is no %s: %s", c.Name, pointer, body)
		}
	}
}

// filler puts in what was learned.
func (h *house) filler() *strings.Replacer {
	var pairs []string
	for name, value := range h.learned {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...)
}

// records are all decision records as the store gives them.
func (h *house) records(t *testing.T) string {
	t.Helper()
	page, err := h.store.Decisions(t.Context(), store.DecisionQuery{PageSize: store.MaxPageSize})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(page.Records)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Records {
		if r.Claims != nil { // in base64 above
			data = append(data, r.Claims.Data...)
		}
	}
	return string(data)
}
