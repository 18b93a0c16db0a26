package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictjson"
	mapping "github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/provider"
)

const mappingGuide = "../../docs/mapping.md"

// took is how long something took, which is another time each time.
var took = regexp.MustCompile(`\([0-9.]+[a-zµ]+\)`)

// TestMappingGuide does what the guide's reader does: it writes the files that
// it names, in their order, runs the commands and compares what they print.
func TestMappingGuide(t *testing.T) {
	if commands := follow(t, mappingGuide); commands < 8 {
		t.Errorf("%d commands", commands)
	}
}

// TestKratosGuide does the same with the guide to Kratos.
func TestKratosGuide(t *testing.T) {
	if commands := follow(t, "../../docs/kratos.md"); commands < 3 {
		t.Errorf("%d commands", commands)
	}
}

// follow does what a guide says and returns how many commands there were.
func follow(t *testing.T, guide string) (commands int) {
	t.Helper()
	dir := t.TempDir()
	for _, block := range regexp.MustCompile("(?ms)^```([a-z]+) ?(\\S*)\n(.*?)^```").FindAllStringSubmatch(text(t, guide), -1) {
		language, name, content := block[1], block[2], block[3]
		if language != "console" {
			if name == "" {
				t.Errorf("a block that no test runs: name its file\n%s", content)
				continue
			}
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, name), content)
			continue
		}
		for _, part := range strings.Split("\n"+content, "\n$ ")[1:] {
			command, want, _ := strings.Cut(strings.TrimSuffix(part, "\n")+"\n", "\n")
			commands++
			if got := typed(t, dir, command); took.ReplaceAllString(got, "") != took.ReplaceAllString(want, "") {
				t.Errorf("$ %s\n(-guide +printed)\n%s", command, cmp.Diff(want, got))
			}
		}
	}
	return commands
}

// TestMappingGuideSaysEverything: the guide shows every key of a mapping, and of
// a file with cases.
func TestMappingGuideSaysEverything(t *testing.T) {
	guide, keys := text(t, mappingGuide), 0
	types := text(t, "../../provider/file.go") + text(t, "../../rules/case.go")
	for _, section := range regexp.MustCompile(`(?s)type (?:(?:trait|groups)Section|[a-z]+Form) struct \{(.*?)\n\}`).FindAllStringSubmatch(types, -1) {
		for _, key := range regexp.MustCompile(`yaml:"([a-z_]+)"`).FindAllStringSubmatch(section[1], -1) {
			keys++
			if !regexp.MustCompile("(?m)(^|[{ `])" + key[1] + ":[ \n]").MatchString(guide) {
				t.Errorf("the guide lacks an example of %s", key[1])
			}
		}
	}
	if keys < 12+21 {
		t.Errorf("%d keys", keys)
	}
}

// typed runs a command as a reader types it, and holds its exit code to the one
// in its comment.
func typed(t *testing.T, dir, command string) string {
	t.Helper()
	want := 0
	if code := regexp.MustCompile(`# exit code (\d)`).FindStringSubmatch(command); code != nil {
		want, _ = strconv.Atoi(code[1])
	}
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("$ %s\nexit code %d, want %d\n%s", command, got, want, out)
	}
	return string(out)
}

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// cells are the parts of a table's row that stand in backquotes.
var cells = regexp.MustCompile("`([^`]*)`")

// TestMappingGuideExamples evaluates each row of the guide's tables.
func TestMappingGuideExamples(t *testing.T) {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	var all expr.Vars
	rows := 0
	for line := range strings.Lines(text(t, mappingGuide)) {
		if _, rest, ok := strings.Cut(line, ", each over `"); ok {
			claims, _, _ := strings.Cut(rest, "`")
			decodeClaims(t, claims, &all.Claims)
		}
		columns := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		rows++
		first := cells.FindStringSubmatch(columns[0])[1]
		t.Run(first, func(t *testing.T) {
			switch len(columns) {
			case 2:
				if got, want := evaluated(t, env, first, all), cells.FindStringSubmatch(columns[1])[1]; got != want {
					t.Errorf("%s, not %s", got, want)
				}
			case 3:
				var v expr.Vars
				decodeClaims(t, cells.FindStringSubmatch(columns[1])[1], &v.Claims)
				if got := mapped(t, env, first, v); got != strings.TrimSpace(columns[2]) {
					t.Errorf("over %s: %s, not %s", columns[1], got, columns[2])
				}
			default:
				t.Errorf("a row of %d columns", len(columns))
			}
		})
	}
	if rows < 30 {
		t.Errorf("%d rows", rows)
	}
}

func decodeClaims(t *testing.T, from string, into *map[string]any) {
	t.Helper()
	if err := strictjson.Unmarshal([]byte(from), into); err != nil {
		t.Fatal(err)
	}
}

func evaluated(t *testing.T, env *expr.Env, source string, v expr.Vars) string {
	t.Helper()
	program, err := env.Compile(expr.Source{Text: source, Line: 1, Col: 1})
	if err != nil {
		t.Fatal(err)
	}
	value, err := program.Eval(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// mapped says in the guide's words what a rule makes of claims.
func mapped(t *testing.T, env *expr.Env, rule string, v expr.Vars) string {
	t.Helper()
	file := "version: 1\nprovider: acme\nissuer: https://acme.example\njit: {enabled: true}\ntrust: {authoritative_domains: [acme.example]}\n"
	if groups := strings.HasPrefix(rule, "groups: "); groups {
		file += rule + "\ntraits: {other: {value: 'null'}}\n"
	} else {
		file += "traits:\n  " + rule + "\n"
	}
	set, problems := provider.Loader{Env: env, Userstores: []string{"default"}, Now: time.Now}.Load(fstest.MapFS{"acme.yaml": {Data: []byte(file)}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p, _ := set.Get("acme")
	result, err := p.Mapping.Map(t.Context(), v)
	var rejected *mapping.Rejection
	if errors.As(err, &rejected) {
		return "refused: `" + string(rejected.Reason.Code) + "`"
	} else if err != nil {
		t.Fatal(err)
	}
	if result.Groups.Managed {
		if !result.Groups.Known {
			return "groups unknown"
		}
		data, _ := json.Marshal(append([]string{}, result.Groups.Names...))
		return "groups `" + string(data) + "`"
	}
	return said(t, result.Traits[0])
}

func said(t *testing.T, trait mapping.Trait) string {
	t.Helper()
	switch trait.Action {
	case mapping.Keep:
		return "what is stored stays"
	case mapping.Clear:
		return "what is stored goes"
	}
	value := trait.Value
	names := strings.Split(strings.TrimPrefix(trait.Path, "/"), "/")
	for i := len(names) - 1; i >= 0; i-- {
		value = map[string]any{names[i]: value}
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	words := "`" + string(data) + "`"
	if trait.CanonicalForm != "" {
		words += ", compared as `" + trait.Canonical + "`"
	}
	if trait.Verified {
		words += ", verified"
	}
	return words
}
