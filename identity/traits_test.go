package identity_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
)

// by is an entry of the provenance, verified by its own source.
func by(path string) identity.Provenance {
	return identity.Provenance{Path: path, Source: "provider:acme", At: time.Unix(0, 0).UTC(), VerifiedBy: "provider:acme"}
}

// known are the paths of the provenance, "!" behind those that are verified.
func known(i identity.Identity) []string {
	var paths []string
	for _, p := range i.Provenance {
		if p.VerifiedBy != "" {
			p.Path += "!"
		}
		paths = append(paths, p.Path)
	}
	slices.Sort(paths)
	return paths
}

// Traits are written and removed at any path, with what is known of them, and
// nothing is changed in place: a clone has the values of before.
func TestTraitsAtPaths(t *testing.T) {
	set := func(v any, path string) func(*identity.Identity) {
		return func(i *identity.Identity) { i.SetTrait(v, by(path)) }
	}
	remove := func(path string) func(*identity.Identity) {
		return func(i *identity.Identity) { i.RemoveTrait(path) }
	}
	for name, c := range map[string]struct {
		do    []func(*identity.Identity)
		want  map[string]any
		known []string
	}{
		"one":                           {[]func(*identity.Identity){set("x", "/a")}, map[string]any{"a": "x"}, []string{"/a!"}},
		"another value":                 {[]func(*identity.Identity){set("x", "/a"), set("y", "/a")}, map[string]any{"a": "y"}, []string{"/a!"}},
		"two in one object":             {[]func(*identity.Identity){set("x", "/a/b"), set("y", "/a/c")}, map[string]any{"a": map[string]any{"b": "x", "c": "y"}}, []string{"/a/b!", "/a/c!"}},
		"deep":                          {[]func(*identity.Identity){set("x", "/a/b/c/d")}, map[string]any{"a": map[string]any{"b": map[string]any{"c": map[string]any{"d": "x"}}}}, []string{"/a/b/c/d!"}},
		"into a verified object":        {[]func(*identity.Identity){set(map[string]any{"b": "x"}, "/a"), set("y", "/a/c")}, map[string]any{"a": map[string]any{"b": "x", "c": "y"}}, []string{"/a", "/a/c!"}},
		"in place of a string":          {[]func(*identity.Identity){set("x", "/a"), set("y", "/a/c")}, map[string]any{"a": map[string]any{"c": "y"}}, []string{"/a/c!"}},
		"a whole in place of its parts": {[]func(*identity.Identity){set("x", "/a/b"), set("y", "/a/c"), set("z", "/a")}, map[string]any{"a": "z"}, []string{"/a!"}},
		"names that begin alike":        {[]func(*identity.Identity){set("x", "/ab"), set("y", "/a"), remove("/a")}, map[string]any{"ab": "x"}, []string{"/ab!"}},
		"removed":                       {[]func(*identity.Identity){set("x", "/a/b"), set("y", "/a/c"), remove("/a/b")}, map[string]any{"a": map[string]any{"c": "y"}}, []string{"/a/c!"}},
		"removed with empty parents":    {[]func(*identity.Identity){set("x", "/a/b/c"), set("y", "/d"), remove("/a/b/c")}, map[string]any{"d": "y"}, []string{"/d!"}},
		"removed from a whole":          {[]func(*identity.Identity){set(map[string]any{"b": "x", "c": "y"}, "/a"), remove("/a/b")}, map[string]any{"a": map[string]any{"c": "y"}}, []string{"/a"}},
		"a whole removed":               {[]func(*identity.Identity){set("x", "/a/b"), remove("/a")}, map[string]any{}, nil},
		"what is not there":             {[]func(*identity.Identity){set("x", "/a"), remove("/b"), remove("/a/b")}, map[string]any{"a": "x"}, []string{"/a!"}},
		"escaped names":                 {[]func(*identity.Identity){set("x", "/a~1b~0c"), set("y", "/d"), remove("/d")}, map[string]any{"a/b~c": "x"}, []string{"/a~1b~0c!"}},
	} {
		t.Run(name, func(t *testing.T) {
			var i identity.Identity
			var before []identity.Identity
			var texts []string
			for _, do := range c.do {
				before = append(before, i.Clone())
				texts = append(texts, text(t, i.Traits))
				do(&i)
			}
			if got, want := text(t, i.Traits), text(t, c.want); got != want {
				t.Errorf("traits %s, want %s", got, want)
			}
			if got := known(i); !slices.Equal(got, c.known) {
				t.Errorf("known are %v, want %v", got, c.known)
			}
			for n, b := range before {
				if text(t, b.Traits) != texts[n] {
					t.Errorf("step %d changed the values of a clone", n+1)
				}
			}
		})
	}
}

func TestTrait(t *testing.T) {
	i := identity.Identity{Traits: map[string]any{"a": map[string]any{"b": "x", "n": nil}, "a/b": "y"}}
	for path, want := range map[string]struct {
		value any
		has   bool
	}{"/a/b": {"x", true}, "/a/n": {nil, true}, "/a~1b": {"y", true}, "/a/c": {}, "/a/b/c": {}, "/c": {}, "/": {}} {
		if v, has := i.Trait(path); v != want.value || has != want.has {
			t.Errorf("%s: %v, %v", path, v, has)
		}
	}
}

func TestPointer(t *testing.T) {
	if got := identity.Pointer("a/b", "~c"); got != "/a~1b/~0c" {
		t.Error(got)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
