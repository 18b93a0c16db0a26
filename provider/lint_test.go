// These tests prove that the documentation of findings is true: each example
// has the finding, each mended one has none; and that comments silence what they
// name, where they stand, for a reason, and nothing else.
package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/deploy"
	"github.com/jithook/jithook/provider"
)

const lintPage = "../docs/lint.md"

// completed is an example of the page with what it leaves out.
func completed(example string) string {
	for _, key := range []struct{ name, text string }{
		{"version", "version: 1\n"},
		{"provider", "provider: acme\n"},
		{"issuer", "issuer: https://acme.example\n"},
		{"jit", "jit: {enabled: true}\n"},
		{"traits", "traits:\n  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true}\n"},
	} {
		if !regexp.MustCompile(`(?m)^` + key.name + `:`).MatchString(example) {
			example += key.text
		}
	}
	return example
}

func linted(t *testing.T, files map[string]string) []provider.Finding {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if _, problems := loader(t).Load(fsys); len(problems) > 0 {
		t.Fatalf("problems %v of\n%s", problems, files["acme.yaml"])
	}
	return lintedFS(t, fsys)
}

func lintedFS(t *testing.T, fsys fs.FS) []provider.Finding {
	t.Helper()
	findings, err := loader(t).Lint(t.Context(), fsys)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// TestLintPage keeps the page's table that of the code (-update, or `make
// generate`, rewrites it) and every section's examples true.
func TestLintPage(t *testing.T) {
	data, err := os.ReadFile(lintPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- lint codes: begin -->\n", "<!-- lint codes: end -->"
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("no place for the table")
	}
	table := "| code | what it finds |\n|---|---|\n"
	for _, info := range provider.LintCodes() {
		table += fmt.Sprintf("| [`%s`](#%s) | %s |\n", info.Code, info.Code, info.What)
	}
	if want := head + begin + table + end + tail; want != string(data) {
		if !*update {
			t.Error("the page's table is not the code's: run `make generate`")
		} else if err := os.WriteFile(lintPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, schema, _ := strings.Cut(tail, "```json\n")
	schema, _, _ = strings.Cut(schema, "```")
	sections := strings.Split(tail, "\n## ")[1:]
	for i, info := range provider.LintCodes() {
		t.Run(string(info.Code), func(t *testing.T) {
			if i >= len(sections) || !strings.HasPrefix(sections[i], string(info.Code)+"\n") {
				t.Fatal("has no section, or not in the order of the table")
			}
			if !info.Fixed && !strings.Contains(sections[i], "# lint:ignore "+string(info.Code)+" ") {
				t.Error("the section does not say how to silence it")
			}
			examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(sections[i], -1)
			if len(examples) != 2 {
				t.Fatalf("%d examples, want a bad one and a mended one", len(examples))
			}
			bad := linted(t, map[string]string{"acme.yaml": completed(examples[0][1]), "acme.schema.json": schema})
			if !slices.ContainsFunc(bad, func(f provider.Finding) bool { return f.Code == info.Code }) {
				t.Errorf("findings %v", bad)
			}
			if good := linted(t, map[string]string{"acme.yaml": completed(examples[1][1]), "acme.schema.json": schema}); len(good) > 0 {
				t.Errorf("mended: findings %v", good)
			}
		})
	}
	if len(sections) != len(provider.LintCodes()) {
		t.Errorf("%d sections, %d codes", len(sections), len(provider.LintCodes()))
	}
}

func TestLint(t *testing.T) {
	const lookup = "  account_lookup: [{local: /traits/email, federated: claims.email}]\n"
	type expected struct {
		file string
		want []string
	}
	asked := func(verified string) expected {
		return expected{"jit:\n  enabled: true\n  account_linking: auto\n" + lookup + "trust: {email_verified: true}\ntraits:\n  email: {value: claims.email, verified: '" + verified + "', canonical: email, unique: true}\n", nil}
	}
	weak := func(verified string) expected {
		return expected{asked(verified).file, []string{"acme.yaml:4:28: link_untrusted: verified may be true where the provider says nothing but the value itself: whoever types one there has the account behind it"}}
	}
	unknowable := func(from string) expected {
		return expected{"groups:\n  allow: [staff]\n  from: '" + from + "'\n", []string{"acme.yaml:3:10: unknown_empty: of a login without any claim this makes a list: nobody knows the groups then, and those that are not in it are revoked"}}
	}
	emptied := func(from string, col int) expected {
		return expected{"groups:\n  allow: [staff]\n  from: '" + from + "'\n", []string{fmt.Sprintf("acme.yaml:3:%d: unknown_empty: where the claim is missing, nobody knows the groups; a list says that there are no others, and they are revoked", col)}}
	}
	lacking := func(what, from string) expected {
		return expected{unknowable(from).file, []string{strings.Replace(unknowable(from).want[0], "without any claim", "whose "+what, 1)}}
	}
	known := func(from string) expected { return expected{unknowable(from).file, nil} }
	contradicted := func(verified string) expected {
		return expected{strings.Replace(asked(verified).file, "email_verified: true", "authoritative_domains: [acme.example]", 1),
			[]string{"acme.yaml:4:28: link_untrusted: verified is true where the provider says that it is not: of every claim that it asks false is enough"}}
	}
	own := func(verified string) expected { return expected{contradicted(verified).file, nil} }
	for name, c := range map[string]expected{
		"the deny rules leave allow nothing to do": {"jit:\n  enabled: true\n  deny:\n    - when: claims.hd != \"acme.example\"\n  allow: claims.hd == \"acme.example\"\n",
			[]string{"acme.yaml:5:10: allow_always: allow is true of every login that reaches it: it keeps nobody out"}},
		"why a rule never denies": {"jit:\n  enabled: true\n  deny:\n    - when: claims.a == 1\n    - when: claims.b == 1\n    - when: claims.b == 1 && claims.c\n    - when: \"1 > 2\"\n    - when: \"claims.a == 1 ? true : claims.b == 1\"\n",
			[]string{
				"acme.yaml:6:13: deny_unreachable: this rule can never deny: whatever it is true of, the rule at acme.yaml:5:13 denies first",
				"acme.yaml:7:14: deny_unreachable: this rule can never deny: it is true of nothing",
				"acme.yaml:8:14: deny_unreachable: this rule can never deny: whatever it is true of, the rules above deny first",
			}},
		"behind a rule that denies all nothing is asked": {"jit:\n  enabled: true\n  deny:\n    - when: \"true\"\n    - when: claims.a\n  allow: \"true\"\n",
			[]string{"acme.yaml:4:14: nobody_allowed: this rule denies every login that reaches it"}},
		"no trust and a lookup": {"jit:\n  enabled: true\n" + lookup,
			[]string{"acme.yaml:3:28: link_untrusted: trust covers no domain: no address of this provider counts as verified, and this rule finds nobody"}},
		"every address verified, nobody linked":            {"jit:\n  enabled: true\n" + lookup + "trust: {email_verified: true}\ntraits:\n  email: {value: claims.email, verified: \"true\", canonical: email, unique: true}\n", nil},
		"every address verified, of its own domains":       {"jit:\n  enabled: true\n  account_linking: auto\n" + lookup + "trust: {authoritative_domains: [acme.example]}\ntraits:\n  email: {value: claims.email, verified: \"true\", canonical: email, unique: true}\n", nil},
		"unasked: the address alone":                       weak(`has(claims.email)`),
		"unasked: an address with something in it":         weak(`claims.email != ""`),
		"unasked: an address of one domain":                weak(`claims.email.endsWith("@partner.example")`),
		"unasked: an address in any case":                  weak(`claims.email.contains("@")`),
		"unasked: true if not said":                        weak(`!has(claims.email_verified) || claims.email_verified`),
		"unasked: true unless said":                        weak(`has(claims.email_verified) ? claims.email_verified : true`),
		"unasked: true of null":                            weak(`claims.email_verified != false`),
		"asked: present and so":                            asked(`has(claims.email_verified) && claims.email_verified`),
		"asked: as text":                                   asked(`claims.email_verified in [true, "true"]`),
		"asked: of a list of what there is":                asked(`claims.exists(k, k == "email_verified") && claims.email_verified`),
		"its own domains: present":                         contradicted(`has(claims.email_verified)`),
		"its own domains: anything said":                   contradicted(`claims.email_verified != ""`),
		"its own domains: of two words":                    contradicted(`claims.a != null && has(claims.b)`),
		"its own domains: so unless said otherwise":        own(`!has(claims.email_verified) || claims.email_verified`),
		"its own domains: said":                            own(`claims.email_verified in [true, "true"]`),
		"its own domains: an address with something in it": own(`claims.email != ""`),
		"its own domains: unless a word forbids it":        own(`!claims.guest`),
		"its own domains: unless one of two forbids it":    own(`!claims.guest && !claims.left`),
		"a user name on nobody's word": {"jit:\n  enabled: true\n  account_linking: auto\n  account_lookup: [{local: /traits/nick, federated: claims.nick}]\ntraits:\n  nick: {value: claims.nick, verified: \"true\", canonical: username, unique: true}\n",
			[]string{"acme.yaml:4:28: link_untrusted: verified may be true where the provider says nothing but the value itself: whoever types one there has the account behind it"}},
		"a user name on the provider's word": {"jit:\n  enabled: true\n  account_linking: auto\n  account_lookup: [{local: /traits/nick, federated: claims.nick}]\ntraits:\n  nick: {value: claims.nick, verified: claims.nick_verified, canonical: username, unique: true}\n", nil},
		"an address out of a list, and the word beside it": {"jit:\n  enabled: true\n  account_linking: auto\n" + strings.Replace(lookup, "claims.email}", "'claims.emails.filter(e, e.primary)[0].value'}", 1) +
			"trust: {email_verified: true}\ntraits:\n  email: {value: 'claims.emails.filter(e, e.primary)[0].value', verified: 'claims.emails.exists(e, e.primary && e.verified)', canonical: email, unique: true}\n", nil},
		"groups of nothing: a list without what is missing": unknowable(`["staff"].filter(g, has(claims.roles) && g in claims.roles)`),
		"groups of nothing: an empty name":                  unknowable(`[has(claims.admin) && claims.admin ? "staff" : ""]`),
		"groups of nothing: a list of an empty name":        emptied(`has(claims.groups) ? claims.groups : [""]`, 14),
		"groups of nothing: a list by a call":               emptied(`has(claims.groups) ? claims.groups : "".split(",")`, 14),
		"groups of nothing: a list by a condition":          emptied(`has(claims.groups) ? claims.groups : (true ? [] : ["x"])`, 14),
		"groups of nothing: a list of others":               emptied(`claims.a + (has(claims.groups) ? claims.groups : ["staff"])`, 26),
		"groups in a map: has":                              emptied(`has(claims.realm.roles) ? claims.realm.roles : []`, 14),
		"groups in a map: has, deep":                        emptied(`has(claims.a["b"].c) ? claims.a.b.c : []`, 14),
		"groups in a map: a name in it":                     emptied(`"roles" in claims.realm ? claims.realm.roles : []`, 10),
		"groups in a map: a name in it, not":                emptied(`!("roles" in claims.realm) ? [] : claims.realm["roles"]`, 10),
		"groups in a map: null":                             emptied(`claims.realm.roles == null ? [] : claims.realm.roles`, 10),
		"groups in a map: of one that may be empty":         emptied(`has((has(claims.realm) ? claims.realm : {}).roles) ? claims.realm.roles : []`, 19),
		"groups in a list of maps":                          emptied(`claims.orgs.all(o, has(o.groups)) ? claims.orgs[0].groups : []`, 10),
		"groups in an empty map: a name looked for":         lacking("claims.realm is empty", `claims.realm.exists(k, k == "roles") ? claims.realm.roles : []`),
		"groups in an empty map: counted":                   lacking("claims.a.b is empty", `size(claims.a.b) > 0 ? claims.a.b.roles : []`),
		"groups in an empty map: made up":                   lacking("claims.realm is empty", `(claims.realm.size() == 0 ? {"roles": []} : claims.realm).roles`),
		"groups in two empty maps":                          lacking("claims.a and claims.b are empty", `(claims.a.size() > 0 ? claims.a.g : []) + (claims.b.size() > 0 ? claims.b.g : [])`),
		"groups in a map, read plainly":                     known(`claims.realm.roles`),
		"groups in two maps, one read plainly":              known(`claims.realm.roles + (size(claims.b) > 0 ? claims.b.g : [])`),
		"groups in one claim or another":                    known(`has(claims.groups) ? claims.groups : claims.roles`),
		"groups by a name in a list":                        known(`"admin" in claims.roles ? ["admin"] : []`),
		"groups of who is known":                            known(`identity == null ? [] : claims.groups`),
		"groups of who has a name":                          known(`has(identity.traits.name) ? claims.groups : []`),
		"groups of nothing: a claim looked for":             unknowable(`claims.exists(k, k == "groups") ? claims.groups : []`),
		"groups of nothing, not to be relied on":            {"groups:\n  allow: [staff]\n  from: 'has(claims.groups) ? claims.groups : [\"\"]'\n  unknown_when: '!has(claims.groups)'\n", nil},
		"groups in a map, not to be relied on":              {known(`has(claims.realm.roles) ? claims.realm.roles : []`).file + "  unknown_when: '!has(claims.realm.roles)'\n", nil},
		"groups not to be relied on for another claim":      {known(`claims.a + (has(claims.b) ? claims.b : [])`).file + "  unknown_when: '!has(claims.a)'\n", emptied(`claims.a + (has(claims.b) ? claims.b : [])`, 26).want},
		"groups not to be relied on, of claims or null":     {known(`(has(claims.a) ? claims : claims.b) == null ? [] : claims.groups`).file + "  unknown_when: '!has(claims.groups)'\n", emptied(`(has(claims.a) ? claims : claims.b) == null ? [] : claims.groups`, 15).want},
		"groups of no claim at all":                         {"groups:\n  allow: [staff]\n  from: '[\"staff\"]'\n", nil},
		"a claim and itself":                                {"jit:\n  enabled: true\n  allow: claims.hd == claims[\"hd\"]\n", []string{"acme.yaml:3:10: allow_always: allow is true of every login that reaches it: it keeps nobody out"}},
		"a lookup by an expression":                         {"jit:\n  enabled: true\n" + strings.Replace(lookup, "claims.email}", "claims.email.trim()}", 1) + "trust: {email_verified: true}\n", nil},
		"a lookup by the second claim": {"jit:\n  enabled: true\n" + strings.Replace(lookup, "claims.email}", "claims.mail}", 1) +
			"trust: {email_verified: true}\ntraits:\n  email: {value: [claims.email, claims.mail], verified: claims.v, canonical: email, unique: true}\n", nil},
		"the mirror that nobody wrote": {"jit: {enabled: true}\n", nil},
		"in a block, in its own line":  {"groups:\n  allow: [staff]\n  from: |\n    claims.a +\n    (\"b\" in claims ? claims.b : [])\n", []string{"acme.yaml:5:6: unknown_empty: where the claim is missing, nobody knows the groups; a list says that there are no others, and they are revoked"}},

		"silenced above a block":       {"groups:\n  allow: [staff]\n  # lint:ignore unknown_empty no groups, no claim\n  # (as agreed)\n  from: |\n    claims.a +\n    (\"b\" in claims ? claims.b : [])\n", nil},
		"silenced in the line":         {"jit:\n  enabled: true\n  allow: \"true\" # lint:ignore allow_always all are staff\n", nil},
		"silenced a line too far away": {"jit:\n  # lint:ignore allow_always all are staff\n  enabled: true\n  allow: \"true\"\n", []string{"acme.yaml:2:3: ignore_unused: there is no allow_always here any more: take the comment out", "acme.yaml:4:11: allow_always: allow is true of every login that reaches it: it keeps nobody out"}},
		"silenced without a reason":    {"jit:\n  enabled: true\n  allow: \"true\" # lint:ignore allow_always\n", []string{"acme.yaml:3:11: allow_always: allow is true of every login that reaches it: it keeps nobody out", "acme.yaml:3:17: ignore_reasonless: say behind allow_always why this is meant"}},
		"another code silenced":        {"jit:\n  enabled: true\n  allow: \"true\" # lint:ignore nobody_allowed why not\n", []string{"acme.yaml:3:11: allow_always: allow is true of every login that reaches it: it keeps nobody out", "acme.yaml:3:17: ignore_unused: there is no nobody_allowed here any more: take the comment out"}},
		"what cannot be silenced":      {"# lint:ignore ignore_unused because\n", []string{"acme.yaml:1:1: ignore_unknown: ignore_unused cannot be silenced"}},
		"nothing silenced":             {"# lint:ignore\n", []string{"acme.yaml:1:1: ignore_unknown: there is no finding \"\"; docs/lint.md lists them"}},
		"other comments":               {"# lint: ignore this\njit: {enabled: true} # lint:ignored x\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range linted(t, map[string]string{"acme.yaml": completed(c.file)}) {
				got = append(got, f.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLintLeavesProblems: what does not load is no finding, and does not hide
// those of other files.
func TestLintLeavesProblems(t *testing.T) {
	fsys := fstest.MapFS{"bad.yaml": {Data: []byte("version: 2\n")}, "good.yaml": {Data: []byte(completed("jit: {enabled: true, group_sync: mirror}\n"))}}
	if found := lintedFS(t, fsys); len(found) != 1 || found[0].File != "good.yaml" {
		t.Errorf("findings %v", found)
	}
}

// TestLintOfManyRules: a file of many rules is looked at in a time that one waits
// for, down to the last, and one can stop waiting.
func TestLintOfManyRules(t *testing.T) {
	var text strings.Builder
	text.WriteString("jit:\n  enabled: true\n  deny:\n")
	for i := range 600 {
		fmt.Fprintf(&text, "    - when: claims.email == \"u%d@acme.example\" || claims.dept == \"d%d\" && claims.country == \"XX\"\n", i, i)
	}
	text.WriteString("    - when: claims.email == \"u7@acme.example\" && claims.a\n")
	fsys := fstest.MapFS{"acme.yaml": {Data: []byte(completed(text.String()))}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := loader(t).Lint(ctx, fsys)
	if err != nil || len(found) != 1 || found[0].Code != provider.LintDenyUnreachable {
		t.Errorf("findings %v, %v", found, err)
	}
	cancel()
	if found, err = loader(t).Lint(ctx, fsys); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: findings %v, %v", found, err)
	}
}

// TestSamplesAreClean: no alarm about what people are told to copy.
func TestSamplesAreClean(t *testing.T) {
	samples, err := fs.Sub(deploy.FS, "providers")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range lintedFS(t, samples) {
		t.Error(f)
	}
}

// TestClaimsSchema: a schema is a file of its own, near by, and no provider's.
func TestClaimsSchema(t *testing.T) {
	const schema = `{"properties": {"email": {}, "email_verified": {}, "oid": {}}}`
	for name, c := range map[string]struct {
		key   string
		files map[string]string
		want  string
	}{
		"beside":           {"acme.schema.json", nil, ""},
		"spelt with a dot": {"./acme.schema.json", nil, ""},
		"below":            {"schemas/acme.schema.json", nil, ""},
		"outside":          {"../acme.schema.json", nil, "acme.yaml:1:18: schema is a file in this folder or below it, whose name ends with .schema.json"},
		"absolute":         {"/acme.schema.json", nil, "acme.yaml:1:18: schema is a file in this folder or below it, whose name ends with .schema.json"},
		"another name":     {"acme.json", nil, "acme.yaml:1:18: schema is a file in this folder or below it, whose name ends with .schema.json"},
		"not there":        {"other.schema.json", nil, "acme.yaml:1:18: other.schema.json cannot be read: file does not exist"},
		"no schema":        {"bad.schema.json", nil, "acme.yaml:1:18: bad.schema.json: not JSON: EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{"acme.yaml": {Data: []byte(completed("claims: {schema: " + c.key + "}\nsubject: claims.oid\n"))}}
			for name, text := range map[string]string{"acme.schema.json": schema, "schemas/acme.schema.json": schema, "bad.schema.json": ""} {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			set, problems := loader(t).Load(fsys)
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("problems %v", problems)
			}
			if c.want == "" && (set.Len() != 1 || len(lintedFS(t, fsys)) > 0) {
				t.Errorf("%d providers, findings %v", set.Len(), lintedFS(t, fsys))
			}
		})
	}
	misspelt := map[string]string{"acme.schema.json": schema, "acme.yaml": completed("claims: {schema: acme.schema.json}\nsubject: claims.odi\n")}
	if found := linted(t, misspelt); len(found) != 1 || found[0].String() != "acme.yaml:2:10: claim_unknown: acme.schema.json has no claims.odi" {
		t.Errorf("findings %v", found)
	}
}
