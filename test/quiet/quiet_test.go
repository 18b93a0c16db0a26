//go:build unix

// Package quiet_test proves S39: whatever personal or secret is sent to any
// endpoint, and whatever goes wrong with it, stands in no log, metric, refusal or
// decision record. It sends every call of testdata/calls.json, whose values hold a
// canary, to both stores: in good order, while the store fails in words that hold
// one, and while the code panics with one.
package quiet_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jithook/jithook/admin"
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
	// for a body as it is. EXPORTED in it is what the store holds, ID in a path
	// and REVISION in a header are those of the identity of the first call.
	Body   string
	Set    map[string]any
	Raw    string
	Header map[string]string
	Status int
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
	method := c.Method
	if method == "" {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, strings.ReplaceAll(c.Path, "/ID", "/"+h.id), strings.NewReader(strings.ReplaceAll(c.Raw, "EXPORTED", h.exported)))
	r.Host = "127.0.0.1"
	header := map[string]string{"Content-Type": "application/json", "Cookie": "ory_kratos_session=canary-cookie"}
	door := h.hooks
	if strings.HasPrefix(c.Path, "/hooks/") {
		header["X-Api-Key"] = hookKey
	} else {
		door = h.admin
		header["Authorization"] = "Bearer " + adminToken
	}
	maps.Copy(header, c.Header)
	for name, value := range header {
		if value != "" {
			r.Header.Set(name, strings.ReplaceAll(value, "REVISION", h.revision))
		}
	}
	w := httptest.NewRecorder()
	door.ServeHTTP(w, r)
	body := w.Body.String()
	if w.Code >= 400 || strings.HasPrefix(c.Path, "/admin/v1/decisions") {
		quiet(t, c.Name+": the answer", body)
	}
	return w.Code, body
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
		before := h.log.Len()
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
			if status != c.Status {
				t.Errorf("%s: status %d, want %d: %s", c.Name, status, c.Status, body)
			}
			h.learn(c, body)
		})
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

		h.panics.Store(true)
		h.all(t, func(*testing.T, call, int, string) {})
		h.panics.Store(false)
		h.fail()
		h.all(t, func(*testing.T, call, int, string) {})
		h.keep(t)
		for _, word := range []string{"panic in a hook", "panic in the admin API", string(identity.CodeStoreUnavailable), "claims refused", "records of unchanged logins lost"} {
			if !strings.Contains(h.log.String(), word) {
				t.Errorf("nothing was logged of %q: that failure was not met", word)
			}
		}
		quiet(t, "the log", h.log.String())

		_, metrics := h.make(t, call{Name: "metrics", Method: http.MethodGet, Path: "/metrics"})
		if !strings.Contains(metrics, `decision="denied"`) {
			t.Errorf("the metrics count no denial:\n%s", metrics)
		}
		quiet(t, "the metrics", metrics)
	})
}

// learn keeps what later calls need.
func (h *house) learn(c call, body string) {
	switch c.Name {
	case "created":
		var answer struct{ Identity admin.Identity }
		if json.Unmarshal([]byte(body), &answer) == nil {
			h.id = answer.Identity.ID
		}
	case "one":
		var answer admin.Identity
		if json.Unmarshal([]byte(body), &answer) == nil {
			h.revision = strconv.FormatInt(answer.Revision, 10)
		}
	case "export":
		lines := strings.Split(strings.TrimSpace(body), "\n")
		h.exported = strings.Join(lines[1:len(lines)-1], "\n") // without header and end
	}
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
