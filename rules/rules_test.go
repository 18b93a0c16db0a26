// These tests prove that a case is decided as a login is, that what is not as
// wanted is told with the expressions behind it, and what counts as reached.
// The cases in testdata say by the first word of their names what they do.
package rules_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/rules"
)

func runner(t *testing.T) rules.Runner {
	t.Helper()
	return runnerOf(t, os.DirFS("testdata"))
}

func runnerOf(t *testing.T, folder fs.FS) rules.Runner {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	set, problems := provider.Loader{Env: env, Userstores: []string{"default"}, Now: time.Now}.Load(folder)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules.Runner{Providers: set, Userstores: []string{"default"}, Now: time.Now}
}

func play(t *testing.T, part string) (rules.Runner, []rules.Result) {
	t.Helper()
	r := runner(t)
	files, problems := rules.Load(os.DirFS("testdata"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var results []rules.Result
	for _, c := range rules.Find(files, part) {
		result, err := r.Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, result)
	}
	return r, results
}

func TestCases(t *testing.T) {
	_, results := play(t, "")
	if s := rules.Sum(results); s.Passed != 9 || s.Failed != 4 || s.Todo != 1 {
		t.Errorf("%d passed, %d failed, %d todo", s.Passed, s.Failed, s.Todo)
	}
	for _, r := range results {
		if word, _, _ := strings.Cut(r.Case.Name.Value, ","); (word == "pass") != r.Passed() {
			t.Errorf("%s: %v", r.Case.Name.Value, r.Diffs)
		}
	}
}

func TestDiffsAndWhatIsBehindThem(t *testing.T) {
	for part, want := range map[string]struct{ diffs, behind []string }{
		"fail, a trait":          {[]string{"/traits/name Anna Ann", "/traits/title <nil> none"}, []string{"claims.name", "has(claims.title) ? claims.title : 'none'"}},
		"fail, the decision":     {[]string{"/decision denied created", "/code not_allowed created"}, []string{"has(claims.acct) && claims.acct == 1", `claims.hd == "acme.example"`}},
		"fail, what is verified": {[]string{"/verified [email] []"}, []string{"claims.email_verified"}},
		"fail, groups": {[]string{"/decision one that lets the login pass denied", "/code <nil> not_allowed"},
			[]string{"has(claims.acct) && claims.acct == 1", `claims.hd == "acme.example"`}},
	} {
		t.Run(part, func(t *testing.T) {
			r, results := play(t, part)
			if len(results) != 1 {
				t.Fatalf("%d cases", len(results))
			}
			var diffs, behind []string
			for _, d := range results[0].Diffs {
				diffs = append(diffs, fmt.Sprint(d.Path, " ", d.Want, " ", d.Got))
			}
			prov, _ := r.Providers.Get("acme")
			for _, x := range results[0].Behind(prov) {
				behind = append(behind, x.Source.Text)
			}
			if !slices.Equal(diffs, want.diffs) || !slices.Equal(behind, want.behind) {
				t.Errorf("got %q behind %q, want %q behind %q", diffs, behind, want.diffs, want.behind)
			}
		})
	}
}

func TestCoverage(t *testing.T) {
	for part, want := range map[string][]string{
		"pass, created": {"never true has(claims.acct) && claims.acct == 1", "never false claims.acct == 1", `never false claims.hd == "acme.example"`,
			"never taken claims.title", "never absent claims.name"},
		"pass": {"never false claims.acct == 1", `never false claims.hd == "acme.example"`, "never taken claims.title", "never absent claims.name"},
	} {
		r, results := play(t, part)
		c := rules.Cover(r.Providers.All(), results)
		var missed []string
		for _, m := range c.Missed {
			missed = append(missed, "never "+m.Never+" "+m.Text)
		}
		if !slices.Equal(missed, want) {
			t.Errorf("%s: %d of %d, missed %q", part, c.Reached, c.All, missed)
		}
	}
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":          {"cases: [{name: a, claim: {}, want: {decision: created}}]", "3:19"},
		"nothing wanted":       {"cases: [{name: a, want: {}}]", "3:25: want asks for nothing"},
		"no such code":         {"cases: [{name: a, want: {code: creatd}}]", `3:32: there is no reason code "creatd"`},
		"twice":                {"cases: [{name: a, want: {code: created}}, {name: a, want: {code: created}}]", "3:50: another case has this name"},
		"refused, with traits": {"cases: [{name: a, want: {decision: denied, traits: {}}}]", "3:25: a login that is refused"},
		"refused, verified":    {"cases: [{name: a, want: {decision: denied, verified: []}}]", "3:25: a login that is refused"},
		"no such state":        {"cases: [{name: a, identity: {state: gone}, want: {code: created}}]", `3:37: "gone" is none of`},
		"a rule's own code":    {"cases: [{name: a, want: {code: guest}}]", `3:32: there is no reason code "guest"; the README lists them, and a deny rule's own is asked for with rule: guest`},
		"no such decision":     {"cases: [{name: a, want: {decision: craeted}}]", `3:36: "craeted" is none of`},
		"written by nobody":    {"cases: [{name: a, identity: {traits: {title: x}, written: {/traits/title: nobody}}, want: {code: created}}]", `3:75: "nobody" is nobody who writes: there are admin, user, import and provider:ID`},
		"written, misspelt":    {"cases: [{name: a, identity: {traits: {title: x}, written: {/traits/titel: admin}}, want: {code: created}}]", `3:60: the person has no such trait: write /traits/NAME of one of its traits`},
		"written, no pointer":  {"cases: [{name: a, identity: {traits: {title: x}, written: {title: admin}}, want: {code: created}}]", `3:60: the person has no such trait`},
		"granted by nobody":    {"cases: [{name: a, identity: {granted: {audit: root}}, want: {code: created}}]", `3:47: "root" is nobody who writes`},
		"an alias":             {"cases: [*a]", "3:9: aliases are not allowed"},
		"claims are a list":    {"cases: [{name: a, claims: [], want: {code: created}}]", "3:27: a mapping is needed"},
	} {
		_, problems := rules.Load(fstest.MapFS{"acme_test.yaml": {Data: []byte("version: 1\nprovider: acme\n" + c.text)}})
		if len(problems) != 1 || !strings.Contains(problems[0].String(), c.want) {
			t.Errorf("%s: %v, want acme_test.yaml:%s", name, problems, c.want)
		}
	}
}
