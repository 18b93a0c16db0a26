// This file is a stand-in for the console of Ory Network in scripts: it applies
// patches, holds to revisions and moves templates to addresses of its own.
package main

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

	"github.com/rogpeppe/go-internal/testscript"
)

type consoleKey struct{}

// standInConsole has one project, p-1.
type standInConsole struct {
	sync.Mutex
	url      string
	config   any
	files    []string
	revision int
	overtake bool // somebody changes the project after each read
	forget   bool // it knows no hooks after a recovery
	asked    []string
}

// startConsole is the script command "console [overtaken|forgetful]": it sets CONSOLE to
// the URL of a stand-in.
func startConsole(ts *testscript.TestScript, neg bool, args []string) {
	c := &standInConsole{overtake: slices.Equal(args, []string{"overtaken"}), forget: slices.Equal(args, []string{"forgetful"})}
	if neg || len(args) > 0 && !c.overtake && !c.forget {
		ts.Fatalf("usage: console [overtaken|forgetful]")
	}
	ts.Check(json.Unmarshal([]byte(`{"selfservice":{"flows":{"recovery":{"enabled":true}},"methods":{"oidc":{"config":{"providers":[
		{"id":"acme","mapper_url":"https://acme.example/m.jsonnet"}]}}}}}`), &c.config))
	s := httptest.NewUnstartedServer(c)
	c.url = "http://" + s.Listener.Addr().String()
	s.Start()
	ts.Defer(s.Close)
	*ts.Value(consoleKey{}).(**standInConsole) = c
	ts.Setenv("CONSOLE", s.URL)
}

// asked is the script command "asked METHOD…": the console has been asked for
// exactly this since the last time.
func asked(ts *testscript.TestScript, neg bool, args []string) {
	c := *ts.Value(consoleKey{}).(**standInConsole)
	c.Lock()
	defer c.Unlock()
	if neg || !slices.Equal(c.asked, args) {
		ts.Fatalf("the console was asked %v", c.asked)
	}
	c.asked = nil
}

func (c *standInConsole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.Lock()
	defer c.Unlock()
	if n, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		i, _ := strconv.Atoi(n)
		io.WriteString(w, c.files[i])
		return
	}
	w.Header().Set("Content-Type", "application/json")
	c.asked = append(c.asked, r.Method)
	var patch []struct {
		Op, Path string
		Value    any
	}
	switch at := fmt.Sprintf("/projects/p-1/revision/r-%d", c.revision); {
	case r.Header.Get("Authorization") != "Bearer ory-secret":
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet && r.URL.Path == "/projects/p-1":
		json.NewEncoder(w).Encode(c.project())
		if c.overtake {
			c.revision++
		}
	case r.Method != http.MethodPatch:
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Path != at:
		w.WriteHeader(http.StatusConflict)
	case json.NewDecoder(r.Body).Decode(&patch) != nil:
		w.WriteHeader(http.StatusBadRequest)
	default:
		for _, p := range patch {
			path := strings.Split(strings.TrimPrefix(p.Path, "/services/identity/config/"), "/")
			c.config = patched(c.config, path, p.Op, c.stored(p.Value))
		}
		if c.forget {
			c.config = patched(c.config, []string{"selfservice", "flows", "recovery", "after"}, "remove", nil)
		}
		c.revision++
		json.NewEncoder(w).Encode(map[string]any{"project": c.project(), "warnings": []any{}})
	}
}

func (c *standInConsole) project() map[string]any {
	return map[string]any{
		"id": "p-1", "name": "ACME", "revision_id": fmt.Sprintf("r-%d", c.revision),
		"services": map[string]any{"identity": map[string]any{"config": c.config}},
	}
}

// stored is a value as the console keeps it.
func (c *standInConsole) stored(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, below := range v {
			v[name] = c.stored(below)
		}
	case []any:
		for i, below := range v {
			v[i] = c.stored(below)
		}
	case string:
		var data []byte
		if encoded, ok := strings.CutPrefix(v, "base64://"); ok && json.Unmarshal([]byte(strconv.Quote(encoded)), &data) == nil {
			c.files = append(c.files, string(data))
			return fmt.Sprintf("%s/files/%d", c.url, len(c.files)-1)
		}
	}
	return v
}

// patched applies one operation of RFC 6902; it panics for a place that is not
// there, which ends the script.
func patched(node any, path []string, op string, value any) any {
	switch n := node.(type) {
	case map[string]any:
		_, there := n[path[0]]
		switch {
		case op != "add" && !there || len(path) > 1 && !there:
			panic("no such member: " + path[0])
		case len(path) > 1:
			n[path[0]] = patched(n[path[0]], path[1:], op, value)
		case op == "remove":
			delete(n, path[0])
		default:
			n[path[0]] = value
		}
		return n
	case []any:
		i, err := strconv.Atoi(path[0])
		switch {
		case err != nil:
			panic("no index: " + path[0])
		case len(path) > 1:
			n[i] = patched(n[i], path[1:], op, value)
		case op == "remove":
			return slices.Delete(n, i, i+1)
		case op == "add":
			return slices.Insert(n, i, value)
		default:
			n[i] = value
		}
		return n
	}
	panic("neither object nor list: " + path[0])
}
