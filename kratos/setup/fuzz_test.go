package setup_test

import (
	"os"
	"testing"

	"github.com/jithook/jithook/kratos/setup"
)

// FuzzEdit: whatever an operator's file looks like, it is refused, or says after
// the edit what was planned: then a second time there is nothing to do, and
// nothing of jithook's is left after it was taken out.
func FuzzEdit(f *testing.F) {
	data, err := os.ReadFile("testdata/kratos.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(data), "selfservice:" + provider, "selfservice: {flows: {login: {after: {oidc: {hooks: [a, b]}}}}}\n",
		"selfservice:\n  flows:\n    recovery:\n      after:\n        hooks:\n        - hook: x # c\n\n        # d\n  # e\n", "a: &x {b: 1}\nselfservice:\n  flows: *x\n",
		"selfservice:\n  flows:\n    ? login\n    : after: {}\n", "\ufeffselfservice:\n  flows: |\n    x\n", "- selfservice", "selfservice:\r\n  flows:\r\n",
		"selfservice:\n  methods:\n    saml: {enabled: true}\n  flows:\n    login:\n      after:\n        saml: {hooks: []}\n        hooks:\n          - hook: a # b\n",
		"selfservice:\n  methods: {oidc: {config: {providers: [{id: acme}]}}}\n  \"flows\":\n    'login':\n     after:\n      oidc: {}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, config string) {
		live, err := setup.ReadYAML([]byte(config))
		if err != nil {
			return
		}
		doc := document(t)
		plan, err := setup.Register(live, doc, base, nil)
		if err != nil {
			return
		}
		text, err := setup.Edit([]byte(config), plan.Changes)
		if err != nil {
			return
		}
		again, err := setup.Register(read(t, string(text)), doc, base, nil)
		if err != nil || len(again.Changes) != 0 {
			t.Fatalf("a second time: %+v, %v in\n%s", again.Changes, err, text)
		}
		plan, err = setup.Unregister(read(t, string(text)), base, map[string]string{"acme": "file://m"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = setup.Edit(text, plan.Changes); err != nil {
			return
		}
		if plan, err = setup.Unregister(read(t, string(text)), base, nil, nil); err != nil || len(plan.Changes) != 0 {
			t.Fatalf("something is left: %+v, %v in\n%s", plan.Changes, err, text)
		}
	})
}
