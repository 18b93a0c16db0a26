//go:build unix

// These tests prove what needs no Kratos: a test's documents end up in the
// configuration as the doc comments say, and are themselves left alone.
package kratostest_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/test/kratos/kratostest"
)

func TestRender(t *testing.T) {
	base := kratostest.Config{Providers: []kratostest.OIDCProvider{
		{ID: "acme", Issuer: "http://a.example"}, {ID: "globex", Issuer: "http://g.example", MapperURL: "base64://bQ=="},
	}}
	for name, tc := range map[string]struct {
		documents []string
		path      []string
		want      string
	}{
		"maps are merged key by key": {
			documents: []string{`{"selfservice":{"flows":{"login":{"after":{"oidc":{"hooks":[{"hook":"a"}]}}}}}}`},
			path:      []string{"selfservice", "flows", "login"},
			want:      `{"ui_url":"http://127.0.0.1:1/test-ui/login","after":{"oidc":{"hooks":[{"hook":"a"}]}}}`,
		},
		"a list without ids is replaced": {
			documents: []string{`{"selfservice":{"allowed_return_urls":["http://x.example"]}}`},
			path:      []string{"selfservice", "allowed_return_urls"},
			want:      `["http://x.example"]`,
		},
		"later documents win": {
			documents: []string{`{"log":{"level":"debug"}}`, `{"log":{"level":"error"}}`},
			path:      []string{"log", "level"},
			want:      `"error"`,
		},
		"documents are merged with each other": {
			documents: []string{`{"tracing":{"a":1}}`, `{"tracing":{"b":2}}`},
			path:      []string{"tracing"},
			want:      `{"a":1,"b":2}`,
		},
		"providers are merged by id": {
			documents: []string{`{"selfservice":{"methods":{"oidc":{"config":{"providers":[{"id":"globex","label":"G"},{"id":"third"},{"id":"acme","mapper_url":"base64://eA=="}]}}}}}`},
			path:      []string{"selfservice", "methods", "oidc", "config", "providers"},
			want: `[
				{"id":"acme","provider":"generic","label":"acme","issuer_url":"http://a.example","client_id":"kratos","client_secret":"kratos-at-the-test-provider-0001","scope":["openid","email","profile"],"mapper_url":"base64://eA=="},
				{"id":"globex","provider":"generic","label":"G","issuer_url":"http://g.example","client_id":"kratos","client_secret":"kratos-at-the-test-provider-0001","scope":["openid","email","profile"],"mapper_url":"base64://bQ=="},
				{"id":"third"}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := base
			for _, text := range tc.documents {
				doc, err := kratostest.ParseDocument([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				c.Documents = append(c.Documents, doc)
			}
			got, err := kratostest.Render(c, 1, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range tc.path {
				m, _ := got.(map[string]any)
				got = m[key]
			}
			var want any
			if err := json.Unmarshal([]byte(tc.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", tc.path, diff)
			}
			for i, text := range tc.documents {
				var original map[string]any
				if err := json.Unmarshal([]byte(text), &original); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(original, c.Documents[i]); diff != "" {
					t.Errorf("the test's document was changed:\n%s", diff)
				}
			}
		})
	}
}

func TestSecretsOf(t *testing.T) {
	doc, err := kratostest.ParseDocument([]byte(
		`{"a":[{"auth":{"config":{"name":"X-API-Key","value":"s1"}}},{"client_secret":"s2"}],"b":{"password":{"enabled":true},"c":{"password":"s3"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, secret := range kratostest.SecretsOf(doc) {
		got[secret] = true
	}
	if diff := cmp.Diff(map[string]bool{"s1": true, "s2": true, "s3": true}, got); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}
