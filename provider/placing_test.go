package provider_test

// Which traits may be in a userstore is said by those whose files put people there,
// or may, and by those who are linked; what many files say alike is there once.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTraitsIn(t *testing.T) {
	files := fstest.MapFS{}
	put := func(id, userstore, trait string) {
		files[id+".yaml"] = &fstest.MapFile{Data: []byte("version: 1\nprovider: " + id + "\nissuer: https://" + id + ".example\njit: {enabled: true, userstore: " + userstore +
			"}\ntraits:\n  name: {value: claims.name}\n  " + trait + "\n")}
	}
	for n := range 50 {
		put(fmt.Sprintf("idp-%d", n), "default", "nick: {value: claims.nick}")
	}
	put("canonical", "default", "nick: {value: claims.nick, canonical: username}")
	put("unique", "default", "nick: {value: claims.nick, canonical: username, unique: true}")
	put("employer", "employees", "title: {value: claims.title}")
	put("chooser", "{from: claims.org}", "org: {value: claims.org}")
	set, problems := loader(t).Load(files)
	if problems != nil {
		t.Fatal(problems)
	}
	for name, c := range map[string]struct {
		userstore string
		linked    []string
		want      string
	}{
		"default":                 {"default", nil, "/name false /nick false /nick username false /nick username true /org false"},
		"employees":               {"employees", nil, "/name false /org false /title false"},
		"employees, linked":       {"employees", []string{"idp-7", "idp-8", "nobody"}, "/name false /nick false /org false /title false"},
		"of none but the chooser": {"partners", nil, "/name false /org false"},
	} {
		var got []string
		for _, trait := range set.TraitsIn(c.userstore, c.linked) {
			got = append(got, strings.Join(strings.Fields(fmt.Sprint(trait.Path, " ", trait.Canonical, " ", trait.Unique)), " "))
		}
		if slices.Sort(got); strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
