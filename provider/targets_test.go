package provider_test

// Which targets an identity goes to is what the files of its linked providers say;
// one without a file says nothing, which is not no.

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/jithook/jithook/identity"
)

func TestTargets(t *testing.T) {
	file := func(id, outbound string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("version: 1\nprovider: " + id + "\nissuer: https://" + id + ".example\njit: {enabled: true}\ntraits: {name: {value: claims.name}}\n" + outbound)}
	}
	set, problems := loader(t).Load(fstest.MapFS{
		"a.yaml": file("acme", "outbound: [hr, crm]"), "b.yaml": file("globex", "outbound: [hr]"), "c.yaml": file("umbrella", ""),
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for name, c := range map[string]struct {
		linked         []string
		targets        []string
		sends, unknown bool // to crm
	}{
		"nobody":              {nil, nil, false, false},
		"one":                 {[]string{"acme"}, []string{"crm", "hr"}, true, false},
		"one, to another":     {[]string{"globex"}, []string{"hr"}, false, false},
		"two":                 {[]string{"globex", "acme"}, []string{"crm", "hr"}, true, false},
		"one that sends none": {[]string{"umbrella"}, nil, false, false},
		"one without a file":  {[]string{"initech"}, nil, false, true},
		"one of them without": {[]string{"initech", "globex"}, []string{"hr"}, false, true},
	} {
		i := identity.Identity{}
		for _, p := range c.linked {
			i.Links = append(i.Links, identity.Link{Provider: p})
		}
		sends, unknown := set.Sends(&i, "crm")
		if got := set.Targets(&i); !slices.Equal(got, c.targets) || sends != c.sends || unknown != c.unknown {
			t.Errorf("%s: %q, %v, %v", name, got, sends, unknown)
		}
	}
}

// TestSendsTakesNoMemory: it is asked for every delivery of every target. Those of all
// links are not put together for one.
func TestSendsTakesNoMemory(t *testing.T) {
	set, problems := loader(t).Load(fstest.MapFS{"a.yaml": {Data: []byte("version: 1\nprovider: acme\nissuer: https://acme.example\njit: {enabled: true}\ntraits: {name: {value: claims.name}}\noutbound: [hr, crm]\n")}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	i := identity.Identity{Links: slices.Repeat([]identity.Link{{Provider: "acme"}}, 200)}
	if n := testing.AllocsPerRun(20, func() {
		if sends, unknown := set.Sends(&i, "crm"); !sends || unknown {
			t.Error(sends, unknown)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
