// These tests prove that a configuration of Kratos comes to hold what jithook
// needs, in the lists of other people's hooks too, and loses it again: only what
// is ours changes, twice is once, a note shows no secret; and that an operator's
// YAML keeps every comment and every line that nothing changes in, or is refused.
package setup_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/kratos/setup"
)

const base = "http://127.0.0.1:4480"

// document is what jithook wants of Kratos. The key is a canary: it must be in
// no note.
func document(t *testing.T, edits ...func(*kratos.Config)) kratos.Document {
	t.Helper()
	c := kratos.Config{
		HookURL: base, APIKey: kratos.APIKey{Header: "X-API-Key", Value: "canary-key"}, LoginMethods: []string{"oidc", "password"},
		Providers: []kratos.Provider{{ID: "acme", Issuers: []string{"https://acme.example"}, AllClaims: true}},
	}
	for _, e := range edits {
		e(&c)
	}
	d, err := kratos.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func register(t *testing.T, config string, doc kratos.Document) (setup.Plan, string) {
	t.Helper()
	plan, err := setup.Register(read(t, config), doc, base, nil)
	if err != nil {
		t.Fatal(err)
	}
	return plan, edited(t, config, plan)
}

func read(t *testing.T, config string) map[string]any {
	t.Helper()
	live, err := setup.ReadYAML([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return live
}

func edited(t *testing.T, config string, plan setup.Plan) string {
	t.Helper()
	for _, c := range plan.Changes {
		if strings.Contains(c.Note, "canary") {
			t.Errorf("the note %q shows a secret", c.Note)
		}
	}
	text, err := setup.Edit([]byte(config), plan.Changes)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// outline is every list of hooks of a configuration, without jithook's address.
func outline(t *testing.T, config string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, l := range setup.Lists(read(t, config)) {
		var hooks []string
		for _, h := range l.Hooks {
			hook := h.(map[string]any)
			name := hook["hook"].(string)
			if c, ok := hook["config"].(map[string]any); ok {
				name = strings.TrimPrefix(c["url"].(string), base+"/hooks/kratos/")
			}
			hooks = append(hooks, name)
		}
		got[strings.TrimSuffix(strings.TrimPrefix(strings.Join(l.Path, "."), "selfservice.flows."), ".hooks")] = strings.Join(hooks, " ")
	}
	return got
}

const provider = `
  methods:
    oidc:
      config:
        providers:
          - id: acme
            mapper_url: file://old.jsonnet # theirs`

// sound is where the hooks stand when nobody else has any.
var sound = map[string]string{
	"registration.after.oidc": "registration/prepare registration/commit session",
	"login.after.oidc":        "login", "login.after.password": "login",
	"settings.after.oidc": "settings/check", "settings.after.profile": "settings/profile", "recovery.after": "login",
}

func TestRegister(t *testing.T) {
	ours := func(path string) string {
		return "{hook: web_hook, config: {url: " + base + "/hooks/kratos/" + path + ", method: POST, body: 'file://x'}}"
	}
	for name, c := range map[string]struct {
		flows string
		want  map[string]string // where it is not sound
	}{
		"nothing there":    {"", nil},
		"empty":            {"\n  flows: {}", nil},
		"null":             {"\n  flows:", nil},
		"null below":       {"\n  flows:\n    login:\n      after:", nil},
		"braces":           {"\n  flows: {login: {ui_url: 'http://x', after: {oidc: {hooks: [{hook: theirs}]}}}}", map[string]string{"login.after.oidc": "login theirs"}},
		"theirs stay":      {"\n  flows:\n    login:\n      after:\n        password:\n          hooks:\n          - hook: revoke_active_sessions", map[string]string{"login.after.password": "login revoke_active_sessions"}},
		"session once":     {"\n  flows:\n    registration:\n      after:\n        oidc:\n          hooks:\n            - hook: session\n            - hook: theirs", map[string]string{"registration.after.oidc": "registration/prepare registration/commit session theirs"}},
		"global comes":     {"\n  flows:\n    login:\n      after:\n        hooks:\n          - hook: theirs", map[string]string{"login.after": "theirs", "login.after.oidc": "login theirs", "login.after.password": "login theirs"}},
		"their secret":     {"\n  flows:\n    login:\n      after:\n        hooks:\n          - {hook: web_hook, config: {url: 'http://x?k=canary'}}", map[string]string{"login.after": "http://x?k=canary", "login.after.oidc": "login http://x?k=canary", "login.after.password": "login http://x?k=canary"}},
		"global never ran": {"\n  flows:\n    settings:\n      after:\n        hooks:\n          - {hook: web_hook, config: {url: 'http://x', response: {parse: true}}}", map[string]string{"settings.after": "http://x"}},
		"other order": {"\n  flows:\n    registration:\n      after:\n        oidc:\n          hooks:\n            - " + ours("registration/commit") + "\n            - hook: theirs\n            - " + ours("registration/prepare"),
			map[string]string{"registration.after.oidc": "registration/prepare registration/commit theirs session"}},
		"twice":                       {"\n  flows:\n    recovery:\n      after:\n        hooks:\n          - " + ours("login") + "\n          - " + ours("login"), nil},
		"in between":                  {"\n  flows:\n    recovery:\n      after:\n        hooks:\n          - hook: theirs\n          - " + ours("login"), map[string]string{"recovery.after": "theirs login"}},
		"wrong endpoint":              {"\n  flows:\n    recovery:\n      after:\n        hooks:\n          - " + ours("settings/check"), nil},
		"global stray":                {"\n  flows:\n    login:\n      after:\n        hooks:\n          - " + ours("login") + "\n          - hook: theirs", map[string]string{"login.after": "theirs", "login.after.oidc": "login theirs", "login.after.password": "login theirs"}},
		"stray alone":                 {"\n  flows:\n    login:\n      after:\n        code:\n          hooks:\n            - " + ours("login"), nil},
		"stray before":                {"\n  flows:\n    login:\n      before:\n        hooks:\n          - " + ours("login"), map[string]string{}},
		"global interrupts":           {"\n  flows:\n    settings:\n      after:\n        hooks:\n          - {hook: web_hook, config: {url: 'http://x', can_interrupt: true}}", map[string]string{"settings.after": "http://x"}},
		"a method of Ory Network's":   {"\n    saml: {enabled: true}", map[string]string{"login.after": "login"}},
		"and a global list":           {"\n    saml: {enabled: true}\n  flows:\n    login:\n      after:\n        hooks:\n          - hook: theirs", map[string]string{"login.after": "login theirs", "login.after.oidc": "login theirs", "login.after.password": "login theirs"}},
		"or one of its own":           {"\n    saml: {enabled: true}\n  flows:\n    login:\n      after:\n        saml:\n          hooks:\n            - hook: theirs", map[string]string{"login.after.saml": "login theirs"}},
		"one that is off":             {"\n    saml: {enabled: false}\n  flows:\n    login:\n      after:\n        hooks:\n          - " + ours("login"), nil},
		"methods that sign nobody in": {"\n    link: {enabled: true}\n    captcha: {enabled: true}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			config := "selfservice:" + provider + c.flows + "\n"
			doc := document(t)
			_, text := register(t, config, doc)
			want := map[string]string{}
			for k, v := range sound {
				want[k] = v
			}
			for k, v := range c.want {
				want[k] = v
			}
			if diff := cmp.Diff(want, outline(t, text)); diff != "" {
				t.Errorf("hooks (-want +got):\n%s", diff)
			}
			if again, _ := register(t, text, doc); len(again.Changes) != 0 {
				t.Errorf("a second time changes %+v", again.Changes)
			}
			if !strings.Contains(text, "# theirs") {
				t.Errorf("the comment is gone:\n%s", text)
			}
		})
	}
}

// TestMarked: a hook with our body is ours at whatever address, and a changed
// key is shown as changed.
func TestMarked(t *testing.T) {
	_, text := register(t, "selfservice:"+provider, document(t))
	moved := document(t, func(c *kratos.Config) { c.HookURL = "https://elsewhere.example"; c.APIKey.Value = "canary-new" })
	plan, err := setup.Register(read(t, text), moved, "https://elsewhere.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	now := edited(t, text, plan)
	if strings.Contains(now, base) || strings.Contains(now, "canary-key") {
		t.Errorf("the old address or key is there still:\n%s", now)
	}
	for _, c := range plan.Changes {
		if want := "web_hook https://elsewhere.example/hooks/kratos/"; c.Op != setup.Replace || !strings.HasPrefix(c.Note, want) || !strings.HasSuffix(c.Note, ": config.auth.config.value, config.url") {
			t.Errorf("%s %s: %s", c.Op, strings.Join(c.Path, "."), c.Note)
		}
	}
	if len(plan.Changes) != 7 {
		t.Errorf("%d changes, want one for each hook", len(plan.Changes))
	}
}

// TestTheirsOnOurs: a name for the logs, and that nothing is told of the hook, stay
// on a hook of ours, also when it changes.
func TestTheirsOnOurs(t *testing.T) {
	_, text := register(t, "selfservice:"+provider, document(t))
	var with []string
	for line := range strings.Lines(text) {
		with = append(with, line)
		if before, ok := strings.CutSuffix(line, "url: "+base+"/hooks/kratos/registration/commit\n"); ok {
			with = append(with, before+"id: commit # mine\n", before+"emit_analytics_event: false\n")
		}
	}
	text = strings.Join(with, "")
	if again, _ := register(t, text, document(t)); len(again.Changes) != 0 || !strings.Contains(text, "# mine") {
		t.Fatalf("changes %+v in\n%s", again.Changes, text)
	}
	_, text = register(t, text, document(t, func(c *kratos.Config) { c.APIKey.Value = "canary-new" }))
	for _, want := range []string{"id: commit # mine", "emit_analytics_event: false"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "canary-key") {
		t.Errorf("the old key is there still:\n%s", text)
	}
}

// TestDefaultsAndFiles: what Ory Network writes down by itself, and a body that
// it keeps at an address of its own, is no difference.
func TestDefaultsAndFiles(t *testing.T) {
	_, text := register(t, "selfservice:"+provider, document(t))
	live := read(t, text)
	files := map[string][]byte{}
	for _, l := range setup.Lists(live) {
		for i, h := range l.Hooks {
			c, ok := h.(map[string]any)["config"].(map[string]any)
			if !ok {
				continue
			}
			name := fmt.Sprintf("https://files.example/%s/%d", strings.Join(l.Path, "."), i)
			files[name] = []byte(decode(t, c["body"].(string)))
			c["body"], c["can_interrupt"] = name, false
			c["response"].(map[string]any)["ignore"] = false
		}
	}
	fetch := func(url string) ([]byte, error) {
		data, ok := files[url]
		if !ok {
			return nil, errors.New("no such file")
		}
		return data, nil
	}
	plan, err := setup.Register(live, document(t), base, fetch)
	if err != nil || len(plan.Changes) != 0 {
		t.Errorf("changes %+v, %v", plan.Changes, err)
	}
	for name := range files {
		files[name] = append(files[name], " // older"...)
	}
	plan, err = setup.Register(live, document(t), base, fetch)
	if err != nil || len(plan.Changes) != 7 {
		t.Errorf("%d changes for another body, %v", len(plan.Changes), err)
	}
}

// TestUnregister: what was there before is there again, but for what a list of
// its own has taken along and a mapper that nobody names.
func TestUnregister(t *testing.T) {
	const config = "# head\nselfservice:" + provider + `
  flows:
    login:
      ui_url: http://127.0.0.1/login
      after:
        password:
          hooks:
            - hook: theirs # first
`
	_, text := register(t, config, document(t))
	plan, err := setup.Unregister(read(t, text), base, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"login.after.password": "theirs", "registration.after.oidc": "session"}, outline(t, edited(t, text, plan))); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	if len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], `provider "acme" stays`) {
		t.Errorf("notes %q", plan.Notes)
	}
	plan, err = setup.Unregister(read(t, text), base, map[string]string{"acme": "file://old.jsonnet"}, nil)
	if err != nil || len(plan.Notes) != 0 {
		t.Fatalf("notes %q, %v", plan.Notes, err)
	}
	text = edited(t, text, plan)
	for _, want := range []string{"# head", "# theirs", "# first", "mapper_url: file://old.jsonnet"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "canary") || strings.Contains(text, "jithook") || strings.Contains(text, "127.0.0.1:4480") {
		t.Errorf("something of ours is left:\n%s", text)
	}
	if plan, err = setup.Unregister(read(t, text), base, nil, nil); err != nil || len(plan.Changes)+len(plan.Notes) != 0 {
		t.Errorf("a second time: %+v, %v", plan, err)
	}
}

func TestUnknownProvider(t *testing.T) {
	plan, _ := register(t, "selfservice: {}\nlog: {}\n", document(t))
	if len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], `Kratos has no provider "acme"`) {
		t.Errorf("notes %q", plan.Notes)
	}
}

// TestEdit: a file that people wrote, with everything that they write. Lines
// that were there and are not of an edited list are there still, in their order.
func TestEdit(t *testing.T) {
	data, err := os.ReadFile("testdata/kratos.yml")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := setup.Register(read(t, string(data)), document(t), base, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := setup.Edit(data, plan.Changes)
	if err != nil {
		t.Fatal(err)
	}
	left := strings.Split(string(text), "\n")
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.Contains(line, "EDITED") {
			continue
		}
		i := slices.Index(left, line)
		if i < 0 {
			t.Fatalf("the line %q is gone, or elsewhere:\n%s", line, text)
		}
		left = left[i+1:]
	}
	want := 0
	for line := range bytes.Lines(data) {
		want += bytes.Count(line, []byte(" # "))
	}
	if got := bytes.Count(text, []byte(" # ")); got != want {
		t.Errorf("%d comments, want %d:\n%s", got, want, text)
	}
}

// TestRefused: what cannot be edited without harm is not edited.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"braces":         {`{"selfservice": {"flows": {}}}`, "written in braces"},
		"alias":          {"x: &a\n  after: {}\nselfservice:\n  flows:\n    login: *a\n    settings: *a\n", "safely"},
		"merge":          {"x: &a {flows: {login: {after: {oidc: {hooks: []}}}}}\nselfservice:\n  <<: *a\n", "cannot be edited safely"},
		"list as flows":  {"selfservice:\n  flows: []\n", "no such element"},
		"text as flows":  {"selfservice:\n  flows: canary\n", "neither a mapping nor a list"},
		"line ends":      {"a: 1\rb: 2\rselfservice: {}\r", "safely"},
		"own comment":    {"selfservice:\n  flows:\n    recovery:\n      after:\n        hooks:\n          - hook: web_hook\n            config:\n              url: " + base + "/hooks/kratos/login\n              can_interrupt: true # mine\n", "a comment would be lost"},
		"two documents":  {"a: 1\n---\nb: 2\n", "more than one document"},
		"no mapping":     {"- a\n", "no mapping"},
		"no YAML":        {"b: 1\na: [canary\n", "near line 1: it is no YAML"},
		"a name twice":   {"canary: 1\nb: 2\ncanary: 3\n", "near line 3: it is no YAML"},
		"number as name": {"1: a\n", "names"},
	} {
		t.Run(name, func(t *testing.T) {
			live, err := setup.ReadYAML([]byte(c.config))
			if err == nil {
				var plan setup.Plan
				if plan, err = setup.Register(live, document(t), base, nil); err == nil {
					_, err = setup.Edit([]byte(c.config), plan.Changes)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func decode(t *testing.T, url string) string {
	t.Helper()
	var data []byte
	if err := json.Unmarshal([]byte(`"`+strings.TrimPrefix(url, "base64://")+`"`), &data); err != nil {
		t.Fatal(err)
	}
	return string(data)
}
