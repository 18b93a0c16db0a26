// This file proves that a file which people wrote is there again, to the byte,
// once what was registered is taken out; and that until then, and when a key
// changes, every line is as it was but those that say something else.
package setup_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/kratos/setup"
)

// signUp is a list in which jithook needs nothing that stays behind.
const signUp = `
    registration:
      after:
        oidc:
          hooks:
          - hook:   session     # ours  too`

// round are files without any hook of jithook's.
var round = map[string]string{
	"one list": "selfservice:" + provider + "\n  flows:" + signUp + "\n",
	"their way of writing": `# head

selfservice:` + provider + `
  flows:` + signUp + `
          # more to come
    login:
      ui_url:   http://127.0.0.1/login   # here

      after:
        password:
          # first
          hooks:

          # one  session
          - hook:   revoke_active_sessions     # two  blanks
          # between
          -
              hook: 'web_hook'
              config: {url: "http://x",   method: 'POST',
                body: "file://x"}
          # behind
        # no more


log: {level:   info}
# foot
`,
	"deeper": `selfservice:
    flows:
        registration:
            after:
                oidc:
                    hooks:
                        -   hook: session
                        # a list of theirs
                        -   hook: web_hook
                            config:
                                url: http://x
    methods:
        oidc:
            config:
                providers:
                    - {mapper_url: 'file://old.jsonnet', id: acme}
                    -   id: acme2
`,
	"global lists": "selfservice:" + provider + "\n  flows:" + `
    login:
      after:
        hooks:
        - hook: revoke_active_sessions   # one
    settings:
      after:
        hooks: [{hook: web_hook,   config: {url: 'http://x'}}]
    registration:
      after:
        hooks:
        - hook: session
        - {hook: web_hook, config: {url: 'http://x', response: {ignore:   true}}} # tell
`,
	"no line end": "selfservice:" + provider + "\n  flows:" + signUp,
}

func TestRound(t *testing.T) {
	for name, config := range round {
		for ends, eol := range map[string]string{"Unix": "\n", "DOS": "\r\n"} {
			t.Run(name+" "+ends, func(t *testing.T) {
				config := strings.ReplaceAll(config, "\n", eol)
				_, text := register(t, config, document(t))
				if strings.ReplaceAll(text, eol, "") != strings.NewReplacer("\r", "", "\n", "").Replace(text) {
					t.Error("the lines end in two ways")
				}
				wantLines(t, config, text, "mapper_url")

				moved := document(t, func(c *kratos.Config) { c.APIKey.Value = "canary-new" })
				plan, err := setup.Register(read(t, text), moved, base, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := edited(t, text, plan), strings.ReplaceAll(text, "canary-key", "canary-new"); got != want {
					t.Errorf("another key makes it\n%s", short(got))
				}

				plan, err = setup.Unregister(read(t, text), base, map[string]string{"acme": "file://old.jsonnet"}, nil)
				if err != nil {
					t.Fatal(err)
				}
				got, want := edited(t, text, plan), strings.TrimSuffix(config, eol)+eol
				if got != want {
					t.Errorf("it is now\n%s\nand not\n%s", short(got), want)
				}
			})
		}
	}
}

// short is a text for a message, without the templates.
func short(text string) string {
	return regexp.MustCompile(`base64://\S+`).ReplaceAllString(text, "base64://…")
}

// wantLines checks that the lines of a file are in another one, in their order,
// but those with a word.
func wantLines(t *testing.T, before, after, but string) {
	t.Helper()
	left := strings.Split(strings.ReplaceAll(after, "\r", ""), "\n")
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSuffix(before, "\n"), "\r", ""), "\n") {
		i := slices.Index(left, line)
		switch {
		case strings.Contains(line, but):
			continue
		case i < 0:
			t.Fatalf("the line %q is gone, or elsewhere:\n%s", line, short(after))
		}
		left = left[i+1:]
	}
}

// TestEmpty: a file that says nothing yet comes to hold what jithook needs.
func TestEmpty(t *testing.T) {
	for name, config := range map[string]string{"nothing": "", "comments": "# ours\n\n# to come", "a document": "---\n", "a line": "\r\n"} {
		t.Run(name, func(t *testing.T) {
			plan, text := register(t, config, document(t))
			if !strings.HasPrefix(text, config) || outline(t, text)["login.after.oidc"] != "login" {
				t.Errorf("%d changes make it\n%s", len(plan.Changes), text)
			}
		})
	}
}

// TestListsOfTheirOwn: an empty list is none to Kratos, which runs the global
// one; and what is left of a list is taken out only where the global one says
// the same.
func TestListsOfTheirOwn(t *testing.T) {
	const global = "selfservice:" + provider + "\n  flows:\n    login:\n      after:\n        hooks:\n          - hook: theirs\n        password:\n"
	_, text := register(t, global+"          hooks: []\n", document(t))
	if got := outline(t, text)["login.after.password"]; got != "login theirs" {
		t.Errorf("the global hooks did not come along: %s", got)
	}
	for name, c := range map[string]struct{ list, want string }{
		"more":        {"          hooks:\n            - hook: theirs\n            - hook: another\n", "theirs another"},
		"fewer":       {"          hooks:\n            - hook: another\n", "another"},
		"and a place": {"          hooks: []\n          default_browser_return_url: http://x\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, text := register(t, global+c.list, document(t))
			plan, err := setup.Unregister(read(t, text), base, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			text = edited(t, text, plan)
			got, there := outline(t, text)["login.after.password"]
			if got != c.want || there != (c.want != "") || strings.Contains(c.list, "http://x") != strings.Contains(text, "http://x") {
				t.Errorf("left is %q in\n%s", got, text)
			}
		})
	}
}

// TestSignedIn: a list of their own that signs people in, which the global one does
// not, is no copy of that; a session that jithook put first for want of any is.
func TestSignedIn(t *testing.T) {
	const global = "selfservice:" + provider + "\n  flows:\n    registration:\n      after:\n        hooks:\n%s"
	const own = "        oidc:\n          hooks:\n"
	const theirs, session = "          - hook: theirs\n", "          - hook: session\n"
	for name, c := range map[string]struct{ config, registered, left string }{
		"their own, session last":  {fmt.Sprintf(global, theirs) + own + theirs + session, "registration/prepare registration/commit theirs session", "theirs session"},
		"none of their own":        {fmt.Sprintf(global, theirs), "registration/prepare registration/commit session theirs", ""},
		"the same as the global's": {fmt.Sprintf(global, theirs+session) + own + theirs + session, "registration/prepare registration/commit theirs session", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, text := register(t, c.config, document(t))
			if got := outline(t, text)["registration.after.oidc"]; got != c.registered {
				t.Fatalf("registered: %q", got)
			}
			plan, err := setup.Unregister(read(t, text), base, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			text = edited(t, text, plan)
			if got, there := outline(t, text)["registration.after.oidc"]; got != c.left || there != (c.left != "") {
				t.Errorf("left is %q in\n%s", got, short(text))
			}
		})
	}
}
