// Each file in testdata is a case: mapping.json (a Spec, expressions as
// strings; the n-th expression stands in line n), claims.json and the golden
// result.json. Together they prove what a mapping makes of claims.
//
// go test ./mapper -update rewrites the results: read the difference.
package mapper_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
)

var update = flag.Bool("update", false, "rewrite the results in testdata")

func TestMap(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string][]byte{}
			for _, f := range archive.Files {
				parts[f.Name] = f.Data
			}
			claims := jsonObject(t, parts["claims.json"])
			got := outcome(t, newMapping(t, parts["mapping.json"]), claims)
			if *update {
				write(t, file, archive, got)
				return
			}
			if diff := cmp.Diff(string(parts["result.json"]), got); diff != "" {
				t.Errorf("%sresult (-want +got):\n%s", archive.Comment, diff)
			}
		})
	}
}

// outcome maps the claims and returns the result or the rejection as text.
func outcome(t *testing.T, m *mapper.Mapping, claims map[string]any) string {
	t.Helper()
	before := clone(t, claims)
	result, err := m.Map(t.Context(), expr.Vars{Claims: claims})
	if !reflect.DeepEqual(claims, before) {
		t.Error("Map changed the claims")
	}
	var rejected *mapper.Rejection
	if errors.As(err, &rejected) {
		return indented(t, map[string]any{"rejected": rejected})
	}
	if err != nil {
		t.Fatal(err)
	}
	return indented(t, result)
}

func write(t *testing.T, file string, archive *txtar.Archive, result string) {
	t.Helper()
	for i, f := range archive.Files {
		if f.Name == "result.json" {
			archive.Files[i].Data = []byte(result)
		}
	}
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func indented(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// mappingFile is mapping.json.
type mappingFile struct {
	Traits []struct {
		Name, Canonical, Absent string
		Value                   []string
		Verified                *string
		Unique, Required        bool
		Default                 any
	}
	Groups *struct {
		From   string
		Allow  []string
		Map    map[string]string
		Absent string

		UnknownWhen *string `json:"unknown_when"`
	}
	Trust mapper.Trust
}

func newMapping(t testing.TB, data []byte) *mapper.Mapping {
	t.Helper()
	m, err := mapper.New(newEnv(t), specOf(t, data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newEnv(t testing.TB) *expr.Env {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func specOf(t testing.TB, data []byte) mapper.Spec {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var file mappingFile
	if err := d.Decode(&file); err != nil {
		t.Fatalf("mapping.json: %v", err)
	}
	line := 0
	source := func(text string) expr.Source {
		line++
		return expr.Source{Text: text, File: "mapping", Line: line, Col: 1}
	}
	spec := mapper.Spec{Trust: file.Trust}
	for _, f := range file.Traits {
		trait := mapper.TraitSpec{Name: f.Name, Canonical: f.Canonical, Absent: f.Absent, Unique: f.Unique, Required: f.Required, Default: f.Default}
		for _, text := range f.Value {
			trait.Values = append(trait.Values, source(text))
		}
		if f.Verified != nil {
			s := source(*f.Verified)
			trait.Verified = &s
		}
		spec.Traits = append(spec.Traits, trait)
	}
	if g := file.Groups; g != nil {
		spec.Groups = &mapper.GroupsSpec{From: source(g.From), Allow: g.Allow, Map: g.Map, Absent: g.Absent}
		if g.UnknownWhen != nil {
			s := source(*g.UnknownWhen)
			spec.Groups.UnknownWhen = &s
		}
	}
	return spec
}

// jsonObject decodes claims as the hooks do: integers are int64.
func jsonObject(t testing.TB, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("claims.json: %v", err)
	}
	return exact(m).(map[string]any)
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}

func clone(t testing.TB, m map[string]any) map[string]any {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return jsonObject(t, data)
}
