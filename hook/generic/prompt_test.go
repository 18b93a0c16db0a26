package generic_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
)

const asking = `
version: 1
provider: acme
issuer: https://acme.example
jit: {enabled: true, scheme: prompt, consent: {path: /traits/terms, version: "2026-01"}}
traits:
  name: {value: claims.name}
  username: {value: claims.username, canonical: username, unique: true, required: true}
`

// TestPrompt: 422 names everything that is asked for, the answers make the
// account, and what nobody asked for makes nothing.
func TestPrompt(t *testing.T) {
	s := serve(t, asking)
	const body = `{"version":1,"provider":"acme","subject":"s-1","claims":{"name":"Ann"}`
	for _, step := range []struct {
		answers string
		status  int
		asked   []string
	}{
		{``, 422, []string{"prompt_required /traits/username", "consent_required /traits/terms"}},
		{`,"answers":{"/traits/username":"ann"}`, 422, []string{"consent_required /traits/terms"}},
		{`,"answers":{"/traits/username":"a\u0001","/traits/terms":true}`, 422, []string{"trait_invalid /traits/username"}},
		{`,"answers":{"/traits/username":"ann","/traits/terms":true,"/traits/name":"CEO","/traits/admin":true}`, 200, []string{"created "}},
		{``, 200, []string{"unchanged "}},
	} {
		w := s.post(body + step.answers + "}")
		var got generic.Response
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != step.status {
			t.Fatalf("%s: %d %s", step.answers, w.Code, w.Body)
		}
		var asked []string
		for _, r := range got.Reasons {
			asked = append(asked, string(r.Code)+" "+r.Path)
		}
		if !slices.Equal(asked, step.asked) {
			t.Errorf("%s: %v, want %v", step.answers, asked, step.asked)
		}
		if step.status == 422 && (got.Decision != identity.Prompt || got.Identity != nil || got.DecisionID == "" || !strings.Contains(w.Body.String(), `"changes":[]`) || s.count(t) != 0) {
			t.Errorf("%s: %s, %d identities", step.answers, w.Body, s.count(t))
		}
		if step.status == 200 && fmt.Sprint(got.Identity.Traits) != "map[name:Ann terms:true username:ann]" {
			t.Errorf("traits %v", got.Identity.Traits)
		}
	}
}

// TestMalformedAnswers: answers are bounded, and each is about a trait.
func TestMalformedAnswers(t *testing.T) {
	many := make([]string, 65)
	for n := range many {
		many[n] = fmt.Sprintf(`"/traits/t%d":1`, n)
	}
	for name, answers := range map[string]string{
		"too many":       "{" + strings.Join(many, ",") + "}",
		"no pointer":     `{"username":"ann"}`,
		"not a trait":    `{"/groups/admins":true}`,
		"an empty name":  `{"/traits/":1}`,
		"an empty part":  `{"/traits/a//b":1}`,
		"a long name":    `{"/traits/` + strings.Repeat("a", 255) + `":1}`,
		"a list":         `[]`,
		"a name twice":   `{"/traits/a":1,"/traits/a":2}`,
		"folded letters": `{"/traits/a":1,"/traits/A":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, asking)
			w := s.post(`{"version":1,"provider":"acme","subject":"s-1","claims":{"name":"Ann"},"answers":` + answers + `}`)
			if w.Code != 400 || !strings.Contains(w.Body.String(), "/answers") || s.count(t) != 0 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}
