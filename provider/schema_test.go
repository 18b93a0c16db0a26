// These tests prove that the JSON Schema of a provider's file takes whatever
// loads, refuses what is refused for its form, and knows the words that the
// loader knows.
package provider_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jithook/jithook/deploy"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/test/schemas"
)

// schema is the JSON Schema of a provider's file.
func schema(t *testing.T) []byte {
	t.Helper()
	made, err := provider.Schema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSchemaTakesWhatLoads: the samples, the examples of the documentation, and
// the test data without problems.
func TestSchemaTakesWhatLoads(t *testing.T) {
	files := map[string]string{}
	read := func(fsys fs.FS, pattern string) {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			data, err := fs.ReadFile(fsys, n)
			if err != nil {
				t.Fatal(err)
			}
			files[n] = string(data)
		}
	}
	read(deploy.FS, "providers/*.yaml")
	read(os.DirFS("testdata"), "*.txt")
	read(os.DirFS("../docs"), "*.md")
	read(os.DirFS("../rules/testdata"), "*.yaml")
	files["words of WSO2.yaml"] = completed("jit: {enabled: true, scheme: PROVISION_SILENTLY, attribute_sync: OVERRIDE_ALL, group_sync: MERGE_WITH_EXISTING}\ngroups: {from: claims.groups, allow: [a]}\n")
	s := schemas.Compile(t, schema(t))
	tried := 0
	try := func(name, text string) {
		set, problems := loader(t).Load(fstest.MapFS{"acme.yaml": {Data: []byte(text)}, "acme.schema.json": {Data: []byte("{}")}})
		if len(problems) > 0 || set.Len() == 0 {
			return
		}
		tried++
		if err := schemas.Validate(t, s, text); err != nil {
			t.Errorf("%s loads, and the schema refuses it: %v\n%s", name, err, text)
		}
	}
	for name, text := range files {
		switch filepath.Ext(name) {
		case ".md":
			for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1) {
				try(name, completed(block[1]))
			}
		case ".txt":
			text, _, _ = strings.Cut(text, "-- problems --\n")
			try(name, text)
		default:
			try(name, text)
		}
	}
	if tried < 40 {
		t.Errorf("only %d files load", tried)
	}
}

// TestSchemaRefusesBadForm: each of these is refused by the loader for its form,
// and by the schema.
func TestSchemaRefusesBadForm(t *testing.T) {
	s := schemas.Compile(t, schema(t))
	good := completed("")
	if err := schemas.Validate(t, s, good); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"no version":                   strings.Replace(good, "version: 1\n", "", 1),
		"another version":              strings.Replace(good, "version: 1", "version: 2", 1),
		"no issuer":                    strings.Replace(good, "issuer: https://acme.example\n", "", 1),
		"no issuers":                   strings.Replace(good, "issuer: https://acme.example", "issuer: []", 1),
		"an unknown key":               good + "trsut: {email_verified: true}\n",
		"an unknown key within":        completed("jit: {enabled: true, alow: claims.a}\n"),
		"no jit.enabled":               completed("jit: {allow: claims.a}\n"),
		"a quoted boolean":             completed("jit: {enabled: 'true'}\n"),
		"an empty expression":          completed("jit: {enabled: true, allow: }\n"),
		"a blank expression":           completed("jit: {enabled: true, allow: ' '}\n"),
		"a list for an expression":     completed("jit: {enabled: true, allow: [claims.a]}\n"),
		"a word that is none":          completed("jit: {enabled: true, scheme: loudly}\n"),
		"a word of another key":        completed("jit: {enabled: true, group_sync: OVERRIDE}\n"),
		"a duration without a unit":    completed("jit: {enabled: true, inactive_after: 90}\n"),
		"a negative duration":          completed("jit: {enabled: true, inactive_after: -24h}\n"),
		"a limit of 0":                 completed("jit: {enabled: true, limits: {max_creates_per_hour: 0}}\n"),
		"a limit in quotes":            completed("jit: {enabled: true, limits: {max_creates_per_hour: '5'}}\n"),
		"a userstore from nothing":     completed("jit: {enabled: true, userstore: {form: claims.a}}\n"),
		"a rule without when":          completed("jit: {enabled: true, deny: [{code: a}]}\n"),
		"a rule that is an expression": completed("jit: {enabled: true, deny: [claims.a]}\n"),
		"a code with spaces":           completed("jit: {enabled: true, deny: [{when: claims.a, code: a b}]}\n"),
		"a trait without value":        completed("traits: {email: {required: true}}\n"),
		"a trait's name":               completed("traits: {'e mail': {value: claims.a}}\n"),
		"a trait too deep":             completed("traits: {a/b/c/d/e: {value: claims.a}}\n"),
		"a default that is null":       completed("traits: {a: {value: claims.a, absent: default, default: null}}\n"),
		"groups as a list":             completed("groups: [staff]\n"),
		"groups without from":          completed("groups: {allow: [staff]}\n"),
		"a source that is none":        completed("claims: {source: [kratos]}\n"),
		"tokens for nobody":            completed("claims: {source: [id_token], id_token: {skew: 60s}}\n"),
		"a schema that is none":        completed("claims: {schema: acme.json}\n"),
		"consent without a version":    completed("jit: {enabled: true, scheme: consent, consent: {path: /traits/terms}}\n"),
		"a lookup without federated":   completed("jit: {enabled: true, account_lookup: [{local: /traits/email}]}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, problems := loader(t).Load(fstest.MapFS{"acme.yaml": {Data: []byte(file)}}); len(problems) == 0 {
				t.Error("it loads")
			}
			if schemas.Validate(t, s, file) == nil {
				t.Error("the schema takes it")
			}
		})
	}
}

// TestSchemaKnowsTheWords: of every enum, the loader takes each word, and offers
// no other where it refuses one.
func TestSchemaKnowsTheWords(t *testing.T) {
	const word = "WORD"
	jit := func(key string) string { return "jit: {enabled: true, " + key + ": WORD}\n" }
	trait := func(key string) string { return "traits: {a: {value: claims.a, " + key + ": WORD}}\n" }
	files := map[string]string{
		"version":                    "version: WORD\n",
		"claims/source":              "claims: {source: [WORD], id_token: {audience: [a]}}\n",
		"claims/id_token/algorithms": "claims: {source: [id_token], id_token: {audience: [a], algorithms: [WORD]}}\n",
		"jit/attribute_sync":         jit("attribute_sync"), "jit/group_sync": jit("group_sync"),
		"jit/scheme": jit("scheme"), "jit/account_linking": jit("account_linking"), "jit/on_lookup_miss": jit("on_lookup_miss"),
		"jit/on_suspended": jit("on_suspended"), "jit/on_deprovisioned": jit("on_deprovisioned"), "jit/on_store_error": jit("on_store_error"),
		"traits/canonical": trait("canonical"), "traits/sync": trait("sync"), "traits/on_taken": trait("on_taken"), "traits/absent": trait("absent"),
		"groups/absent": "groups: {from: claims.groups, allow: [a], absent: WORD}\n",
	}
	enums := schemas.Enums(t, schema(t))
	refusals := func(file, as string) []string {
		var refused []string
		_, problems := loader(t).Load(fstest.MapFS{"acme.yaml": {Data: []byte(completed(strings.ReplaceAll(file, word, as)))}})
		for _, p := range problems {
			if regexp.MustCompile(`is none of|is no algorithm|unknown claims source|is not known; there is`).MatchString(p.Message) {
				refused = append(refused, p.Message)
			}
		}
		return refused
	}
	for path, words := range enums {
		t.Run(path, func(t *testing.T) {
			file, ok := files[path]
			if !ok {
				t.Fatal("no file of this test has it")
			}
			for _, w := range words {
				if refused := refusals(file, w); len(refused) > 0 {
					t.Errorf("%s: %v", w, refused)
				}
			}
			refused := refusals(file, "9")
			if len(refused) != 1 {
				t.Fatalf("refusals %v", refused)
			}
			_, offered, _ := strings.Cut(refused[0], "9")
			for _, w := range regexp.MustCompile(`"([a-z_]+)"|\b([EPR]S\d+|EdDSA)\b`).FindAllStringSubmatch(offered, -1) {
				if !slices.Contains(words, w[1]+w[2]) {
					t.Errorf("the schema lacks %q", w[1]+w[2])
				}
			}
		})
	}
	if len(enums) != len(files) {
		t.Errorf("%d enums in the schema, %d in this test", len(enums), len(files))
	}
}
