//go:build unix

package cases_test

// The words of a case; README.md explains them.

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// oneCase is a history and what should have become of it.
type oneCase struct {
	Name     string `json:"case"`
	Sentence string `json:"sentence"`
	// Providers are patches of the files in base; without any there is acme.
	Providers map[string]any `json:"providers"`
	// Kratos are the credentials that a Kratos has whose Admin API may be asked;
	// without the key there is none.
	Kratos []string `json:"kratos"`
	// OtherKratos are those of a second one; without the key there is no such.
	OtherKratos []string `json:"other_kratos"`
	// Given are steps that pass; nothing else is asked of them.
	Given []step `json:"given"`
	Steps []step `json:"steps"`
	file  string
}

// step is one thing that happens. One of the fields of the first group is set.
type step struct {
	Login     string         `json:"login"`     // who signs in: [provider/]subject
	Admin     string         `json:"admin"`     // METHOD path below /admin/v1; {ann} is the id of the identity that ann has, {held:ann} of what is held of it
	Providers map[string]any `json:"providers"` // patches of the files in force; null removes one, a text is one
	Wait      duration       `json:"wait"`      // how far the clock moves
	Told      string         `json:"told"`      // whom the target hr has an account of: [provider/]subject

	// Of a login.
	Person string         `json:"person"` // whose claims, where the subject is another
	Claims map[string]any `json:"claims"` // a patch of the person's
	At     *duration      `json:"at"`     // the time of the claims, from now
	With   map[string]any `json:"with"`   // further fields of the request
	Hook   string         `json:"hook"`   // of Kratos: prepare, commit or login, instead of the generic one
	Silent bool           `json:"silent"` // it brings no claims

	Body     map[string]any `json:"body"`     // of an admin's call
	Revision int64          `json:"revision"` // that it has seen, where it is not the present one

	Want *want `json:"want"`
}

// want is what should have become of a step. What is not named is not asked.
type want struct {
	Decision string            `json:"decision"`
	Codes    []string          `json:"codes"`   // of the reasons, in their order
	Paths    []string          `json:"paths"`   // of the reasons that have one
	Changes  map[string]string `json:"changes"` // operation by path
	Status   int               `json:"status"`
	// Reply is a part of the answer; Unsaid must not occur in it.
	Reply  any      `json:"reply"`
	Unsaid []string `json:"unsaid"`
	Reads  *int     `json:"reads"`
	Writes *int     `json:"writes"`
	// Sent are the commands to the server, where it is MongoDB.
	Sent []string `json:"sent"`
	// Problems are parts of what is said of edited files, one of each.
	Problems []string `json:"problems"`
	// People counts the identities there are; Identities are views of them by
	// who holds them, null for nobody.
	People     *int                      `json:"people"`
	Identities map[string]map[string]any `json:"identities"`
}

// duration is written like 90s, 24h or 90d, with a minus for what is past.
type duration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text = days + "h"
	}
	v, err := time.ParseDuration(text)
	if strings.HasSuffix(string(data), `d"`) {
		v *= 24
	}
	*d = duration(v)
	return err
}

// kind names what the step does.
func (s step) kind() string {
	var kinds []string
	for kind, is := range map[string]bool{"login": s.Login != "", "admin": s.Admin != "", "providers": s.Providers != nil, "wait": s.Wait != 0, "told": s.Told != ""} {
		if is {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return strings.Join(kinds, ", ")
}

// check returns what is wrong with the form of the case.
func (c oneCase) check() error {
	switch {
	case c.Name == "" || strings.ContainsAny(c.Name, "/\"\\"):
		return fmt.Errorf("a case needs a name without slashes and quotes: %q", c.Name)
	case c.Sentence == "":
		return fmt.Errorf("%s: which sentence does it prove?", c.Name)
	case len(c.Steps) == 0:
		return fmt.Errorf("%s: no steps", c.Name)
	}
	asked := false
	for n, s := range slices.Concat(c.Given, c.Steps) {
		given := n < len(c.Given)
		switch {
		case s.kind() == "" || strings.Contains(s.kind(), ","):
			return fmt.Errorf("%s, step %d: does %q, not one thing", c.Name, n+1, s.kind())
		case given && s.Want != nil:
			return fmt.Errorf("%s, step %d: what is given is not asked for", c.Name, n+1)
		case !given && (s.Login != "" || s.Admin != "") && (s.Want == nil || s.Want.Decision == "" && s.Want.Status == 0):
			return fmt.Errorf("%s, step %d: no decision or status is asked of it", c.Name, n+1)
		}
		asked = asked || s.Want != nil
	}
	if !asked {
		return fmt.Errorf("%s: nothing is asked", c.Name)
	}
	return nil
}

// allCases reads every case of this folder.
func allCases(t testing.TB) []oneCase {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	must(t, err)
	var all []oneCase
	seen := map[string]bool{}
	for _, file := range files {
		var cases []oneCase
		read(t, file, &cases)
		for _, c := range cases {
			if err := c.check(); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if seen[c.Name] {
				t.Fatalf("%s: there are two cases %q", file, c.Name)
			}
			seen[c.Name], c.file = true, file
			all = append(all, c)
		}
	}
	return all
}

// read decodes a file strictly.
func read(t testing.TB, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// patched is a JSON merge patch (RFC 7396), on a copy.
func patched(doc, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	d, _ := doc.(map[string]any)
	if d = maps.Clone(d); d == nil {
		d = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(d, k)
			continue
		}
		d[k] = patched(d[k], v)
	}
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
