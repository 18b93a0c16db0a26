// Package scimtest is a SCIM 2.0 service in memory that misbehaves as a test
// wishes, for tests of what talks to one.
//
// It owns accounts and groups as the target's people see them, and the faults. It
// must not know the connector: it shares no code with it.
package scimtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Quirks are ways in which services differ from the standard.
type Quirks struct {
	// NoExternalIDFilter answers 400 to such a filter, NoFilter to any,
	// IgnoresFilter lists everybody, FindsNobody lists nobody.
	NoExternalIDFilter, NoFilter, IgnoresFilter, FindsNobody bool
	// FoldsCase compares values of filters without regard to case.
	FoldsCase bool
	// PlainConflict leaves the scimType out of a 409.
	PlainConflict bool
	// NoPatch says so in the ServiceProviderConfig and answers 501.
	NoPatch bool
	// Microsoft takes only PATCH without a path for what is set, and operations
	// that begin with a capital letter.
	Microsoft bool
	// ETags demands If-Match for each change.
	ETags bool
	// NoConfig has no ServiceProviderConfig.
	NoConfig bool
	// OnePage lists the same first page, wherever a list is to go on.
	OnePage bool
	// ShowsGroups has the groups of a user in the user.
	ShowsGroups bool
}

// Doc is a resource.
type Doc = map[string]any

// Request is one that came.
type Request struct {
	Method, Path, Body string
	Authorization      string
	At                 time.Time
}

// Target is the service. Fields are set before the first request; Lock guards
// them after.
type Target struct {
	URL    string
	Quirks Quirks
	// Before, if not nil, sees each request first; true says that it has
	// answered.
	Before func(w http.ResponseWriter, r *http.Request) bool
	// Saw, if not nil, sees each write as it is answered, one after the other.
	Saw func(r *http.Request, body []byte)
	// After, if not nil, holds each reply back until it returns.
	After func(r *http.Request)
	// Refuses, if not empty, is what no document may have in it.
	Refuses string
	// Losing is how many replies to writes are lost after the write was done.
	Losing int

	mu       sync.Mutex
	requests []Request
	docs     map[string]map[string]Doc // by endpoint and id
	serial   int
}

// New starts a service that ends with the test.
func New(t testing.TB) *Target {
	s := &Target{docs: map[string]map[string]Doc{"Users": {}, "Groups": {}}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *Target) insert(endpoint string, d Doc) string {
	s.serial++
	id := endpoint[:1] + strconv.Itoa(s.serial)
	d["id"], d["meta"] = id, Doc{"version": `W/"1"`}
	s.docs[endpoint][id] = d
	return id
}

// Drop removes a resource behind everybody's back.
func (s *Target) Drop(endpoint, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.docs[endpoint], id)
}

// All returns the resources of an endpoint whose attribute has the value, sorted
// by id; with no attribute, all.
func (s *Target) All(endpoint, attribute, value string) []Doc {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clone(s.matching(endpoint, attribute, value, false))
}

func (s *Target) matching(endpoint, attribute, value string, fold bool) []Doc {
	out := []Doc{}
	for _, d := range s.docs[endpoint] {
		text, _ := d[attribute].(string)
		if attribute == "" || text == value || (attribute == "userName" || fold) && strings.EqualFold(text, value) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Doc) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	return out
}

// Requests returns what came, with one of the methods if there are any.
func (s *Target) Requests(methods ...string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.requests), func(r Request) bool {
		return len(methods) > 0 && !slices.Contains(methods, r.Method)
	})
}

// Writes returns the requests that may change something.
func (s *Target) Writes() []Request { return s.Requests("POST", "PATCH", "PUT", "DELETE") }

// ServeHTTP implements http.Handler.
func (s *Target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, Request{r.Method, r.URL.RequestURI(), string(body), r.Header.Get("Authorization"), time.Now()})
	before := s.Before
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	s.mu.Lock()
	status, answer := s.answer(r, body)
	if s.Saw != nil && r.Method != http.MethodGet && status < 300 {
		s.Saw(r, body)
	}
	if r.Method != http.MethodGet && s.Losing > 0 {
		s.Losing--
		status = 0
	}
	s.mu.Unlock()
	if s.After != nil {
		s.After(r)
	}
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	if answer != nil {
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// refusal is an error of SCIM. Its detail holds what no log may show.
func refusal(status int, kind string) (int, any) {
	d := Doc{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": strconv.Itoa(status), "detail": "SECRET-OF-THE-TARGET"}
	if kind != "" {
		d["scimType"] = kind
	}
	return status, d
}

func (s *Target) answer(r *http.Request, body []byte) (int, any) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if parts[0] == "ServiceProviderConfig" && !s.Quirks.NoConfig {
		yes := Doc{"supported": true}
		return 200, Doc{"patch": Doc{"supported": !s.Quirks.NoPatch}, "filter": yes, "etag": Doc{"supported": s.Quirks.ETags}}
	}
	docs, ok := s.docs[parts[0]]
	if !ok {
		return refusal(404, "")
	}
	if len(parts) == 1 && r.Method == http.MethodGet {
		if !r.URL.Query().Has("filter") {
			return s.page(parts[0], r.URL.Query())
		}
		return s.list(parts[0], r.URL.Query())
	}
	var sent Doc
	switch {
	case len(body) > 0 && json.Unmarshal(body, &sent) != nil:
		return refusal(400, "invalidSyntax")
	case s.Refuses != "" && strings.Contains(string(body), s.Refuses):
		return refusal(400, "invalidValue")
	}
	if len(parts) == 1 {
		return s.create(parts[0], sent)
	}
	d, ok := docs[parts[1]]
	switch {
	case !ok:
		return refusal(404, "")
	case r.Method == http.MethodGet:
		return 200, s.shown(parts[0], d)
	case s.Quirks.ETags && r.Header.Get("If-Match") != d["meta"].(Doc)["version"]:
		return refusal(412, "")
	case r.Method == http.MethodDelete:
		delete(docs, parts[1])
		return 204, nil
	}
	return s.change(r.Method, parts[0], d, sent)
}

// change replaces or patches a resource, as a whole or not at all.
func (s *Target) change(method, endpoint string, d, sent Doc) (int, any) {
	after := clone(d)
	switch {
	case method == http.MethodPut:
		after = sent
	case s.Quirks.NoPatch:
		return refusal(501, "")
	default:
		if kind := s.patch(after, sent); kind != "" {
			return refusal(400, kind)
		}
	}
	if s.taken(endpoint, after["userName"], d["id"]) {
		return s.conflict()
	}
	var n int
	_, _ = fmt.Sscanf(d["meta"].(Doc)["version"].(string), `W/"%d"`, &n)
	after["id"], after["meta"] = d["id"], Doc{"version": fmt.Sprintf(`W/"%d"`, n+1)}
	s.docs[endpoint][d["id"].(string)] = after
	return 200, s.shown(endpoint, after)
}

func (s *Target) create(endpoint string, sent Doc) (int, any) {
	if s.taken(endpoint, sent["userName"], nil) {
		return s.conflict()
	}
	sent = clone(sent)
	s.insert(endpoint, sent)
	return 201, s.shown(endpoint, sent)
}

func (s *Target) taken(endpoint string, name, by any) bool {
	text, _ := name.(string)
	for id, d := range s.docs[endpoint] {
		if has, _ := d["userName"].(string); endpoint == "Users" && id != by && strings.EqualFold(has, text) {
			return true
		}
	}
	return false
}

func (s *Target) conflict() (int, any) {
	if s.Quirks.PlainConflict {
		return refusal(409, "")
	}
	return refusal(409, "uniqueness")
}

// shown is a resource as it is read.
func (s *Target) shown(endpoint string, d Doc) Doc {
	d = clone(d)
	if endpoint != "Users" || !s.Quirks.ShowsGroups {
		return d
	}
	refs := []Doc{}
	for _, g := range s.matching("Groups", "", "", false) {
		list, _ := g["members"].([]any)
		if slices.ContainsFunc(list, func(m any) bool { return m.(Doc)["value"] == d["id"] }) {
			refs = append(refs, Doc{"value": g["id"]})
		}
	}
	d["groups"] = refs
	return d
}
