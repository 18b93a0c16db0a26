package provider_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// whole makes a file of sections: what they leave out is there as well.
func whole(sections ...string) string {
	file := "version: 1\nprovider: acme\nissuer: https://acme.example\n" + strings.Join(sections, "\n") + "\n"
	if !strings.Contains(file, "enabled: ") {
		file = strings.Replace(file, "\njit: {", "\njit: {enabled: true, ", 1)
	}
	for section, text := range map[string]string{
		"jit":    "jit: {enabled: true}",
		"groups": "groups: {from: claims.groups, allow: [staff]}",
		"traits": `traits: {email: {value: claims.email, canonical: email, unique: true, verified: claims.email_verified},
  handle: {value: claims.handle, canonical: username, unique: true, verified: claims.handle_verified}}`,
	} {
		if !strings.Contains(file, "\n"+section+": ") {
			file += text + "\n"
		}
	}
	return file
}

// Everything that docs/coming-from.md says of our files is accepted in one.
func TestWhatOthersSettingsAre(t *testing.T) {
	doc, err := os.ReadFile("../docs/coming-from.md")
	if err != nil {
		t.Fatal(err)
	}
	spans := regexp.MustCompile("`((?:jit|traits|groups|trust|subject|claims): [^`]+)`").FindAllStringSubmatch(string(doc), -1)
	for _, s := range spans {
		_, problems := loader(t).Load(fstest.MapFS{"acme.yaml": {Data: []byte(whole(s[1]))}})
		for _, p := range problems {
			t.Errorf("%s\n%s", s[1], p)
		}
	}
	if len(spans) < 50 {
		t.Errorf("%d settings found, want all of them", len(spans))
	}
	// Every row says what to write, or that there is nothing and why.
	for line := range strings.Lines(string(doc)) {
		if strings.HasPrefix(line, "| ") && !strings.Contains(line, "in the provider's file") &&
			!strings.Contains(line, "**none**") && !regexp.MustCompile("`[a-z]+: .*` \\|\n$").MatchString(line) {
			t.Errorf("a row without a setting: %s", line)
		}
	}
}

// WSO2's words mean what ours do, each at its own key only.
func TestWordsOfWSO2(t *testing.T) {
	consent := `consent: {path: /traits/terms, version: "1"}, `
	for name, c := range map[string]struct{ setting, problem string }{
		"silently":             {"scheme: PROVISION_SILENTLY", ""},
		"silently, consent":    {consent + "scheme: PROVISION_SILENTLY", "consent has no effect under scheme silent"},
		"consent":              {consent + "scheme: PROMPT_CONSENT", ""},
		"consent to nothing":   {"scheme: PROMPT_CONSENT", "scheme consent needs consent"},
		"a password":           {"scheme: PROMPT_PASSWORD_CONSENT", "jithook keeps no passwords"},
		"a name and password":  {"scheme: PROMPT_USERNAME_PASSWORD_CONSENT", "jithook keeps no passwords"},
		"no scheme":            {"scheme: NONE", `"NONE" is none of ["silent" "consent" "prompt"]`},
		"override":             {"attribute_sync: OVERRIDE_ALL", ""},
		"override what":        {"scheme: OVERRIDE_ALL", `"OVERRIDE_ALL" is none of`},
		"preserve groups":      {"group_sync: PRESERVE_LOCAL", `"PRESERVE_LOCAL" is none of`},
		"merge attributes":     {"attribute_sync: MERGE_WITH_EXISTING", `"MERGE_WITH_EXISTING" is none of`},
		"a scheme elsewhere":   {"attribute_sync: PROMPT_PASSWORD_CONSENT", `"PROMPT_PASSWORD_CONSENT" is none of`},
		"merge, as append":     {"group_sync: MERGE_WITH_EXISTING, limits: {max_group_removals: 1}", "max_group_removals has no effect without group_sync: mirror"},
		"override, as mirror":  {"group_sync: OVERRIDE_ALL, limits: {max_group_removals: 1}", ""},
		"in other letters":     {"attribute_sync: Override_All", `"Override_All" is none of`},
		"nothing with letters": {"attribute_sync: NONE, group_sync: NONE", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := loader(t).Load(fstest.MapFS{"acme.yaml": {Data: []byte(whole("jit: {" + c.setting + "}"))}})
			if c.problem == "" && len(problems) > 0 || c.problem != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), c.problem)) {
				t.Errorf("problems %v, want %q", problems, c.problem)
			}
		})
	}
}

// What a word of WSO2's is read as, and not only that it is.
func TestWordsOfWSO2AreOurs(t *testing.T) {
	set, problems := loader(t).Load(fstest.MapFS{"acme.yaml": {Data: []byte(whole("jit: {attribute_sync: OVERRIDE_ALL, group_sync: MERGE_WITH_EXISTING, scheme: PROVISION_SILENTLY}"))}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p, _ := set.Get("acme")
	if sync, groups := p.Policy.AttributeSync(), p.Policy.Groups().Sync; sync != "override_all" || groups != "append" || p.Policy.Prompts() {
		t.Errorf("attribute_sync %s, group_sync %s, prompts %v", sync, groups, p.Policy.Prompts())
	}
}
