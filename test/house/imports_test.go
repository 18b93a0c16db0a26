package house_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rule says what a package may import. A new package, or a new import across
// rooms, needs a line here: that is the moment to ask whether it belongs.
type rule struct {
	// path below the module; "/..." at the end takes in everything below it.
	path string
	// project lists packages of the project; all of them stand further up.
	project []string
	// modules lists what other modules' import paths may start with.
	modules []string
}

// anything in project or modules lifts that restriction.
const anything = "..."

// rules is the house from the ground up: a package imports only what stands
// above it in this list, and of that only what its line names. The standard
// library is open to all. Tests are bound by testOnly and nothing else: they
// may bring in what they need to prove something.
var rules = []rule{
	{path: "identity"},
	{path: "deploy"},
	{path: "internal/strictjson"},
	{path: "internal/exactjson"},
	{path: "internal/strictyaml", modules: []string{"github.com/goccy/go-yaml"}},
	{path: "internal/canon", modules: []string{"golang.org/x/text", "golang.org/x/net/idna"}},
	{path: "internal/expr", modules: []string{"cel.dev/cel-go"}},
	{path: "internal/tracing", modules: []string{"go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes", "go.opentelemetry.io/otel/propagation", "go.opentelemetry.io/otel/trace"}},
	{path: "internal/problem", project: []string{"internal/strictjson"}, modules: []string{"github.com/labstack/echo/v4"}},
	{path: "internal/metrics", project: []string{"identity"}, modules: []string{"github.com/prometheus/client_golang"}},
	{path: "internal/safedial"},
	{path: "internal/claimschema", modules: []string{"github.com/santhosh-tekuri/jsonschema/v6"}},
	{path: "internal/claimlog", project: []string{"identity", "internal/exactjson"}},
	{path: "policy", project: []string{"identity", "internal/canon", "internal/expr"}},
	{path: "mapper", project: []string{"identity", "internal/canon", "internal/expr"}},
	{path: "claims", project: []string{"identity", "internal/strictjson"}},
	{
		path:    "claims/idtoken",
		project: []string{"identity", "internal/strictjson", "internal/safedial", "claims"},
		modules: []string{"github.com/coreos/go-oidc/v3", "github.com/go-jose/go-jose/v4"},
	},
	{path: "kratos", project: []string{"identity", "deploy", "internal/safedial", "internal/strictjson", "internal/tracing"}, modules: []string{"github.com/ory/client-go", "go.yaml.in/yaml/v3", "golang.org/x/net/http/httpguts"}},
	{path: "kratos/setup", project: []string{"kratos"}, modules: []string{"go.yaml.in/yaml/v3"}},
	{path: "kratos/doctor", project: []string{"identity", "kratos", "kratos/setup"}},
	{
		path:    "kratos/convert",
		project: []string{"internal/expr", "mapper"},
		modules: []string{"github.com/google/go-jsonnet/ast", "github.com/google/go-jsonnet/formatter"},
	},
	{
		path:    "provider",
		project: []string{"identity", "internal/strictyaml", "internal/canon", "internal/claimschema", "internal/expr", "policy", "mapper", "claims", "claims/idtoken"},
		modules: []string{"github.com/fsnotify/fsnotify"},
	},
	{path: "store", project: []string{"identity"}},
	{path: "outbound", project: []string{"identity", "internal/safedial", "internal/tracing", "store"}},
	{
		path:    "outbound/scim",
		project: []string{"identity", "internal/expr", "internal/safedial", "outbound"},
		modules: []string{"golang.org/x/oauth2"},
	},
	{
		path:    "outbound/webhook",
		project: []string{"identity", "internal/safedial", "outbound"},
		modules: []string{"github.com/standard-webhooks/standard-webhooks/libraries/go"},
	},
	{path: "outbound/kratosstate", project: []string{"identity", "kratos", "outbound"}},
	{path: "store/storetest", project: []string{"identity", "store"}, modules: []string{"github.com/google/go-cmp", "github.com/google/uuid"}},
	{path: "store/transfer", project: []string{"identity", "internal/exactjson", "store"}},
	{path: "store/verify", project: []string{"identity", "store"}},
	{path: "store/bolt", project: []string{"identity", "internal/exactjson", "store"}, modules: []string{"go.etcd.io/bbolt"}},
	{path: "store/mongo", project: []string{"identity", "store"}, modules: []string{"go.mongodb.org/mongo-driver/v2"}},
	{path: "store/directory", project: []string{"identity", "store"}},
	{path: "store/traced", project: []string{"identity", "internal/tracing", "store", "store/directory"}},
	{
		path:    "provision",
		project: []string{"identity", "internal/canon", "internal/claimlog", "internal/expr", "internal/tracing", "policy", "mapper", "claims", "kratos", "provider", "store"},
		modules: []string{"github.com/google/uuid"},
	},
	{path: "rules", project: []string{"identity", "internal/expr", "internal/strictyaml", "mapper", "claims", "provider", "store", "provision"}},
	{path: "replay", project: []string{"identity", "internal/claimlog", "provider", "store", "provision"}, modules: []string{"github.com/google/uuid"}},
	{
		path:    "hook",
		project: []string{"identity", "internal/strictjson", "internal/problem", "internal/tracing", "claims", "provision"},
		modules: []string{"github.com/labstack/echo/v4", "github.com/google/uuid", "golang.org/x/time/rate", "golang.org/x/sys/unix"},
	},
	{
		path:    "hook/kratos",
		project: []string{"identity", "internal/strictjson", "internal/problem", "claims", "provision", "hook"},
		modules: []string{"github.com/labstack/echo/v4"},
	},
	{
		path:    "hook/generic",
		project: []string{"identity", "internal/strictjson", "internal/problem", "claims", "provision", "hook"},
		modules: []string{"github.com/labstack/echo/v4"},
	},
	{
		path:    "admin",
		project: []string{"identity", "internal/claimlog", "internal/strictjson", "internal/problem", "claims", "provider", "store", "store/directory", "store/transfer", "store/verify", "outbound", "provision", "replay", "hook", "hook/generic"},
		modules: []string{"github.com/labstack/echo/v4"},
	},
	{path: "cmd/jithook", project: []string{anything}, modules: []string{anything}},
	{path: "test/...", project: []string{anything}, modules: []string{anything}},
}

// owned names the modules that one package hides from all other code, that of
// cmd and test included: to replace one is to change one room.
var owned = []struct{ module, owner string }{
	{"github.com/ory/client-go", "kratos"},
	{"go.etcd.io/bbolt", "store/bolt"},
	{"cel.dev/cel-go", "internal/expr"},
	{"github.com/goccy/go-yaml", "internal/strictyaml"},
	{"github.com/coreos/go-oidc/v3", "claims/idtoken"},
	{"github.com/go-jose/go-jose/v4", "claims/idtoken"},
}

// testOnly lists packages that no program may carry: they are imported by test
// files and by the packages below test alone.
var testOnly = []string{"store/storetest", "test/..."}

const seeImports = `see "Who may import whom" in CONTRIBUTING.md`

func TestImports(t *testing.T) {
	for _, problem := range importProblems(rules, tree(t)) {
		t.Error(problem)
	}
}

// TestTable holds the table to its own promise: downwards only.
func TestTable(t *testing.T) {
	above := map[string]bool{anything: true}
	for _, r := range rules {
		for _, p := range r.project {
			if !above[p] {
				t.Errorf("the line of %s names %s, which does not stand above it", r.path, p)
			}
		}
		if above[r.path] {
			t.Errorf("%s has two lines", r.path)
		}
		above[r.path] = true
	}
}

// importProblems returns every import that the rules do not allow, every
// package without a rule and every rule without a package.
func importProblems(rules []rule, pkgs []pkg) []string {
	var problems []string
	for _, p := range pkgs {
		r := slices.IndexFunc(rules, func(r rule) bool { return matches(r.path, p.path) })
		if r < 0 {
			problems = append(problems, fmt.Sprintf("%s has no line in the import table (test/house/imports_test.go), %s", p.path, seeImports))
			continue
		}
		problems = append(problems, rules[r].problems(p)...)
	}
	for _, r := range rules {
		if !slices.ContainsFunc(pkgs, func(p pkg) bool { return matches(r.path, p.path) }) {
			problems = append(problems, fmt.Sprintf("%s has a line in the import table and no package: remove the line", r.path))
		}
	}
	return problems
}

func (r rule) problems(p pkg) []string {
	var problems []string
	for _, f := range p.files {
		for _, path := range f.imports() {
			if why := r.forbids(p.path, path, f.test); why != "" {
				problems = append(problems, fmt.Sprintf("%s imports %s: not allowed by %s (%s), %s",
					p.path, strings.TrimPrefix(path, module+"/"), why, f.path, seeImports))
			}
		}
	}
	slices.Sort(problems)
	return problems
}

// forbids returns what an import offends, or "".
func (r rule) forbids(from, path string, test bool) string {
	to, project := strings.CutPrefix(path, module+"/")
	inTest := test || matches("test/...", from)
	switch {
	case project && matches("cmd/...", to) && !matches("cmd/...", from):
		return "the rule that nothing imports cmd"
	case project && !inTest && slices.ContainsFunc(testOnly, func(p string) bool { return matches(p, to) }):
		return "the rule that programs carry no test code"
	case test:
		return ""
	case project && !slices.Contains(r.project, to) && !slices.Contains(r.project, anything):
		return "its line in the import table"
	case project || !strings.Contains(strings.SplitN(path, "/", 2)[0], "."):
		return "" // of the project and allowed, or of the standard library
	}
	for _, o := range owned {
		if below(o.module, path) && from != o.owner {
			return "the rule that only " + o.owner + " imports it"
		}
	}
	if !slices.Contains(r.modules, anything) && !slices.ContainsFunc(r.modules, func(m string) bool { return below(m, path) }) {
		return "its line in the import table"
	}
	return ""
}

// matches reports whether a pattern of the table takes in a package.
func matches(pattern, path string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return below(dir, path)
	}
	return pattern == path
}

// below reports whether path is dir or lies in it.
func below(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// TestImportRules proves that each rule bites, and says which one it was.
func TestImportRules(t *testing.T) {
	all := []rule{
		{path: "low"},
		{path: "kratos", modules: []string{"github.com/ory/client-go"}},
		{path: "store/storetest"},
		{path: "high", project: []string{"low"}, modules: []string{"example.org/a"}},
		{path: "cmd/jithook", project: []string{anything}, modules: []string{anything}},
		{path: "test/...", project: []string{anything}, modules: []string{anything}},
	}
	for name, c := range map[string]struct{ file, imported, want string }{
		"downwards":                {"high/a.go", module + "/low", ""},
		"standard library":         {"low/a.go", "net/http", ""},
		"listed module":            {"high/a.go", "example.org/a/b", ""},
		"owner":                    {"kratos/a.go", "github.com/ory/client-go", ""},
		"test brings in a package": {"low/a_test.go", module + "/high", ""},
		"test brings in a module":  {"low/a_test.go", "example.org/b", ""},
		"test uses storetest":      {"low/a_test.go", module + "/store/storetest", ""},
		"test folder uses test":    {"test/kratos/a.go", module + "/test/kratos/kratostest", ""},
		"upwards":                  {"low/a.go", module + "/high", "low imports high: not allowed by its line in the import table"},
		"upwards, other system":    {"low/a_plan9.go", module + "/high", "low imports high: not allowed by its line"},
		"unlisted module":          {"low/a.go", "example.org/a", "low imports example.org/a: not allowed by its line"},
		"module with like name":    {"high/a.go", "example.org/ab", "high imports example.org/ab: not allowed by its line"},
		"owned module":             {"cmd/jithook/a.go", "github.com/ory/client-go", "not allowed by the rule that only kratos imports it"},
		"owned module in test":     {"test/kratos/a.go", "go.etcd.io/bbolt", "not allowed by the rule that only store/bolt imports it"},
		"cmd":                      {"low/a_test.go", module + "/cmd/jithook/sub", "not allowed by the rule that nothing imports cmd"},
		"test code in a program":   {"cmd/jithook/a.go", module + "/store/storetest", "not allowed by the rule that programs carry no test code"},
		"test folder in a program": {"cmd/jithook/a.go", module + "/test/kratos/kratostest", "not allowed by the rule that programs carry no test code"},
		"unlisted package":         {"new/a.go", "fmt", "new has no line in the import table"},
		"unlisted below a listed":  {"low/new/a.go", "fmt", "low/new has no line in the import table"},
	} {
		t.Run(name, func(t *testing.T) {
			pkgs := sources(t, map[string]string{c.file: "package a\nimport _ \"" + c.imported + "\"\n"})
			// Only the one package exists here, so other lines lack theirs.
			got := slices.DeleteFunc(importProblems(all, pkgs), func(s string) bool { return strings.Contains(s, "and no package") })
			expect(t, got, c.want)
		})
	}
	t.Run("line without a package", func(t *testing.T) {
		expect(t, importProblems([]rule{{path: "gone"}}, nil), "gone has a line in the import table and no package")
	})
}

// expect fails unless got is the one problem that contains want, or nothing
// where want is empty.
func expect(t *testing.T, got []string, want string) {
	t.Helper()
	if want == "" && len(got) == 0 {
		return
	}
	if want == "" || len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("problems %q, want one with %q", got, want)
	}
}
