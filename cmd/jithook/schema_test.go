package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/jithook/jithook/deploy"
	"github.com/jithook/jithook/test/schemas"
)

var updateSchemas = flag.Bool("update-schemas", false, "rewrite the JSON Schemas below deploy")

// printed is what a command prints.
func printed(t *testing.T, args ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSchemasAreFresh: the schemas that people point their editors at are those
// of this version.
func TestSchemasAreFresh(t *testing.T) {
	for name, file := range map[string]string{"provider": "provider.schema.json", "config": "jithook.schema.json"} {
		path := filepath.Join("..", "..", "deploy", "schemas", file)
		want := printed(t, "schema", name)
		if *updateSchemas {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not `jithook schema %s` (%v): run `make generate`", path, name, err)
		}
	}
}

func schemaOf(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	return schemas.Compile(t, printed(t, "schema", name))
}

// configProblems are those of a configuration.
func configProblems(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jithook.yaml")
	write(t, path, text)
	_, problems, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, p := range problems {
		messages = append(messages, p.Message)
	}
	return messages
}

// TestSchemasTakeWhatLoads: the configurations and the providers' files of the
// README, of `jithook dev` and of these tests.
func TestSchemasTakeWhatLoads(t *testing.T) {
	config, prov := schemaOf(t, "config"), schemaOf(t, "provider")
	tried := map[*jsonschema.Schema]int{}
	try := func(s *jsonschema.Schema, name, text string) {
		tried[s]++
		if err := schemas.Validate(t, s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tryConfig := func(name, text string) {
		if len(configProblems(t, text)) == 0 {
			try(config, name, text)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		name := fmt.Sprint("README, block ", i)
		if strings.Contains(block[1], "\nprovider: ") {
			try(prov, name, block[1])
			continue
		}
		tryConfig(name, block[1])
	}
	tryConfig("dev", devConfig)
	samples, err := fs.Glob(deploy.FS, "providers/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range samples {
		text, err := fs.ReadFile(deploy.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.yaml") {
			try(prov, name, string(text))
		}
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(scripts, "testdata/world/jithook.yaml") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range append(txtar.Parse(data).Files, txtar.File{Name: name, Data: data}) {
			if strings.HasSuffix(f.Name, ".yaml") && !strings.Contains(f.Name, "providers/") {
				tryConfig(name+": "+f.Name, string(f.Data))
			}
		}
	}
	if tried[config] < 15 || tried[prov] < len(samples)/2+1 {
		t.Errorf("only %d configurations and %d providers' files load", tried[config], tried[prov])
	}
}

const smallConfig = `admin: {token: env:A}
auth: {api_keys: [{name: k, value: env:K, endpoints: [login], providers: ["*"]}]}
store: {bolt: {path: x.db}}
providers: providers
`

// TestConfigSchemaRefusesBadForm: each of these is refused for its form, here
// and by the schema.
func TestConfigSchemaRefusesBadForm(t *testing.T) {
	s := schemaOf(t, "config")
	if err := schemas.Validate(t, s, smallConfig); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no admin":                    strings.Replace(smallConfig, "admin: {token: env:A}\n", "", 1),
		"no token":                    strings.Replace(smallConfig, "{token: env:A}", "{}", 1),
		"no providers":                strings.Replace(smallConfig, "providers: providers\n", "", 1),
		"providers as a list":         strings.Replace(smallConfig, "providers: providers", "providers: [providers]", 1),
		"an unknown key":              smallConfig + "listn: 127.0.0.1:1\n",
		"an unknown key within":       strings.Replace(smallConfig, "{path: x.db}", "{path: x.db, mode: 1}", 1),
		"no port":                     smallConfig + "listen: localhost\n",
		"an endpoint that is none":    strings.Replace(smallConfig, "[login]", "[logon]", 1),
		"a key without a value":       strings.Replace(smallConfig, "value: env:K, ", "", 1),
		"an empty secret":             strings.Replace(smallConfig, "env:K", "''", 1),
		"a URL without a scheme":      smallConfig + "kratos: {hook_url: localhost}\n",
		"an instance without its URL": smallConfig + "kratos: {instances: {main: {}}}\n",
		"a level that is none":        smallConfig + "log: {level: loud}\n",
		"a retention without a unit":  smallConfig + "decisions: {retention: 90}\n",
		"a quoted boolean":            smallConfig + "outbound: {hr: {scim: {url: https://hr.example, auth: {bearer: env:B}, attributes: {userName: identity.id}, adopt: 'yes'}}}\n",
		"a target without attributes": smallConfig + "outbound: {hr: {scim: {url: https://hr.example, auth: {bearer: env:B}}}}\n",
		"a target's word":             smallConfig + "outbound: {hr: {webhook: {url: https://hr.example, secret: env:B}, on_failure: ignore}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if len(configProblems(t, text)) == 0 {
				t.Error("it loads")
			}
			if schemas.Validate(t, s, text) == nil {
				t.Error("the schema takes it")
			}
		})
	}
}

// TestConfigSchemaKnowsTheWords: of every enum, each word is taken here, and no
// other is offered where one is refused.
func TestConfigSchemaKnowsTheWords(t *testing.T) {
	scim := func(key string) string {
		return smallConfig + "outbound: {hr: {scim: {url: https://hr.example, auth: {bearer: env:B}, attributes: {userName: identity.id}, " + key + ": WORD}}}\n"
	}
	files := map[string]string{
		"log/level": smallConfig + "log: {level: WORD}\n", "log/format": smallConfig + "log: {format: WORD}\n",
		"auth/api_keys/endpoints": strings.Replace(smallConfig, "[login]", "[WORD]", 1),
		"decisions/record_claims": smallConfig + "decisions: {record_claims: WORD, keys: [{id: a, value: env:C}]}\n",
		"outbound/on_failure":     smallConfig + "outbound: {hr: {webhook: {url: https://hr.example, secret: env:B}, on_failure: WORD}}\n",
		"outbound/scim/patch":     scim("patch"), "outbound/scim/lookup": scim("lookup"), "outbound/scim/groups": scim("groups"), "outbound/scim/on_deprovision": scim("on_deprovision"),
	}
	files["auth/basic/endpoints"] = strings.Replace(smallConfig, "auth: {", "auth: {basic: [{name: b, user: u, password: env:P, endpoints: [WORD], providers: [\"*\"]}], ", 1)
	enums := schemas.Enums(t, printed(t, "schema", "config"))
	for path, words := range enums {
		t.Run(path, func(t *testing.T) {
			file, ok := files[path]
			if !ok {
				t.Fatal("no file of this test has it")
			}
			for _, w := range words {
				if problems := configProblems(t, strings.ReplaceAll(file, "WORD", w)); len(problems) > 0 {
					t.Errorf("%s: %v", w, problems)
				}
			}
			refused := configProblems(t, strings.ReplaceAll(file, "WORD", "wrong"))
			if len(refused) == 0 {
				t.Fatal("takes any word")
			}
			_, offered, _ := strings.Cut(refused[0], `"wrong"`)
			for _, w := range regexp.MustCompile(`"([a-z_]+)"`).FindAllStringSubmatch(offered, -1) {
				if !strings.Contains(" "+strings.Join(words, " ")+" ", " "+w[1]+" ") {
					t.Errorf("the schema lacks %q", w[1])
				}
			}
		})
	}
	if len(enums) != len(files) {
		t.Errorf("%d enums in the schema, %d in this test", len(enums), len(files))
	}
}
