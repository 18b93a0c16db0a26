// These tests prove what the generated mapper writes into Kratos: from the
// provider's own word, the claims that rules read and no other; the constants
// of the provider's file unchanged, whatever characters they hold; and never
// anything that makes an address verified. The mapper is taken from a rendered
// document and run as Kratos v1.3.1 runs it.
package kratos_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet"

	"github.com/jithook/jithook/kratos"
)

// acme is a provider whose rules read a handful of claims.
var acme = kratos.Provider{
	ID:      "acme",
	Issuers: []string{"https://acme.example"},
	Claims:  []string{"email", "email_verified", "groups", "hd"},
	Traits: []kratos.Trait{
		{Path: []string{"email"}, ClaimPaths: [][]string{{"email"}}},
		{Path: []string{"nick"}, ClaimPaths: [][]string{{"preferred_username"}, {"nickname"}}},
		{Path: []string{"city"}, ClaimPaths: [][]string{{"address", "locality"}}},
	},
}

// with returns acme after a change.
func with(edit func(*kratos.Provider)) kratos.Provider {
	p := acme
	edit(&p)
	return p
}

func wholly(p *kratos.Provider) { p.AllClaims = true }

func TestMapper(t *testing.T) {
	tests := map[string]struct {
		provider kratos.Provider
		claims   string
		traits   string
		jithook  string // without traits, which are always the same
	}{
		"raw claims win over Kratos's own": {acme,
			`{"iss":"https://acme.example","sub":"s-1","email":"kratos@acme.example","email_verified":true,"hd":"acme.example",
			  "raw_claims":{"iss":"https://acme.example","sub":"s-1","email":"raw@acme.example","email_verified":"true","hd":"acme.example","groups":["staff"],"secret":"x"}}`,
			`{"email":"raw@acme.example"}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1",
			  "claims":{"email":"raw@acme.example","email_verified":"true","groups":["staff"],"hd":"acme.example"}}`},
		"email_verified false stays": {acme,
			`{"iss":"https://acme.example","sub":"s-1","raw_claims":{"email":"a@acme.example","email_verified":false}}`,
			`{"email":"a@acme.example"}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{"email":"a@acme.example","email_verified":false}}`},
		"email_verified absent stays absent though Kratos says true": {acme,
			`{"iss":"https://acme.example","sub":"s-1","email_verified":true,"raw_claims":{"email":"a@acme.example"}}`,
			`{"email":"a@acme.example"}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{"email":"a@acme.example"}}`},
		"no raw claims: Kratos's own": {acme,
			`{"iss":"https://acme.example","sub":"s-1","email":"a@acme.example","email_verified":true,"nickname":"al"}`,
			`{"email":"a@acme.example","nick":"al"}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","normalised":true,"claims":{"email":"a@acme.example","email_verified":true}}`},
		"raw claims null": {acme,
			`{"iss":"https://acme.example","sub":"s-1","email":"a@acme.example","raw_claims":null}`,
			`{"email":"a@acme.example"}`,
			`{"normalised":true,"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{"email":"a@acme.example"}}`},
		"an empty list and false are not nothing, null is": {acme,
			`{"iss":"https://acme.example","sub":"s-1","raw_claims":{"email":null,"groups":[],"email_verified":false,"hd":""}}`,
			`{}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{"groups":[],"email_verified":false,"hd":""}}`},
		"no claim at all is still an object": {acme,
			`{"iss":"https://acme.example","sub":"s-1"}`, `{}`,
			`{"normalised":true,"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{}}`},
		"missing sub is left out, the rest stands": {acme,
			`{"iss":"https://acme.example","raw_claims":{"sub":"raw-1","email":"a@acme.example"}}`,
			`{"email":"a@acme.example"}`,
			`{"provider":"acme","issuer":"https://acme.example","claims":{"email":"a@acme.example"}}`},
		"the subject is Kratos's, in the claims too": {with(func(p *kratos.Provider) { p.Claims = []string{"sub"} }),
			`{"iss":"https://acme.example","sub":"object-id","raw_claims":{"sub":"pairwise"}}`, `{}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"object-id","claims":{"sub":"object-id"}}`},
		"a subject of the file's choice, and Kratos's own beside it": {with(func(p *kratos.Provider) { p.Subject = []string{"ids", "oid"} }),
			`{"iss":"https://acme.example","sub":"pairwise","raw_claims":{"sub":"pairwise","ids":{"oid":"o-1"}}}`, `{}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"o-1","credential":"pairwise","claims":{}}`},
		"a subject that is not there": {with(func(p *kratos.Provider) { p.Subject = []string{"oid"} }),
			`{"iss":"https://acme.example","sub":"pairwise","raw_claims":{"sub":"pairwise"}}`, `{}`,
			`{"provider":"acme","issuer":"https://acme.example","credential":"pairwise","claims":{}}`},
		"the raw issuer first": {acme,
			`{"iss":"https://kratos.example","sub":"s-1","raw_claims":{"iss":"https://evil.example"}}`, `{}`,
			`{"provider":"acme","issuer":"https://evil.example","subject":"s-1","claims":{}}`},
		"UserInfo without issuer": {with(func(p *kratos.Provider) { p.Claims = []string{"iss"} }),
			`{"iss":"https://acme.example","sub":"s-1","raw_claims":{"sub":"s-1"}}`, `{}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{"iss":"https://acme.example"}}`},
		"nobody names an issuer: the file's single one": {with(func(p *kratos.Provider) { p.Claims = []string{"iss"} }),
			`{"sub":"s-1"}`, `{}`,
			`{"normalised":true,"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{}}`},
		"nobody names an issuer and the file has two": {with(func(p *kratos.Provider) { p.Issuers = []string{"https://a.example", "https://b.example"} }),
			`{"sub":"s-1"}`, `{}`,
			`{"normalised":true,"provider":"acme","subject":"s-1","claims":{}}`},
		"the first path that is there": {acme,
			`{"iss":"https://acme.example","sub":"s-1","raw_claims":{"preferred_username":null,"nickname":"al","address":{"locality":"Ulm"}}}`,
			`{"nick":"al","city":"Ulm"}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{}}`},
		"traits in objects": {with(func(p *kratos.Provider) {
			p.Traits = []kratos.Trait{
				{Path: []string{"home", "city"}, ClaimPaths: [][]string{{"address", "locality"}}},
				{Path: []string{"home", "land"}, ClaimPaths: [][]string{{"address", "country"}}},
				{Path: []string{"home", "geo", "lat"}, ClaimPaths: [][]string{{"lat"}}},
				{Path: []string{"work", "city"}, ClaimPaths: [][]string{{"work"}}},
				{Path: []string{"whole"}, ClaimPaths: [][]string{{"address"}}},
			}
		}),
			`{"iss":"https://acme.example","sub":"s-1","raw_claims":{"lat":1.5,"address":{"locality":"Ulm","country":"DE"}}}`,
			`{"home":{"city":"Ulm","land":"DE","geo":{"lat":1.5}},"whole":{"locality":"Ulm","country":"DE"}}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{}}`},
		"a path through what is no object": {acme,
			`{"iss":"https://acme.example","sub":"s-1","raw_claims":{"address":"Ulm"}}`, `{}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{}}`},
		"all claims, without Kratos's wrapper": {with(wholly),
			`{"iss":"https://acme.example","sub":"s-1","locale":"en","raw_claims":{"iss":"https://acme.example","sub":"s-1","a":{"b":[1,null]},"n":null}}`, `{}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{"iss":"https://acme.example","sub":"s-1","a":{"b":[1,null]}}}`},
		"all claims, no raw ones": {with(wholly),
			`{"iss":"https://acme.example","sub":"s-1","email":"a@acme.example"}`, `{"email":"a@acme.example"}`,
			`{"normalised":true,"provider":"acme","issuer":"https://acme.example","subject":"s-1","claims":{"iss":"https://acme.example","sub":"s-1","email":"a@acme.example"}}`},
		"names that look like code": {with(func(p *kratos.Provider) {
			p.Claims = []string{`a.b`, `$`, `$set`, `self`, `"`, `'`, `%(x)s`, "\n", "https://acme.example/groups", "__proto__"}
			p.Traits = []kratos.Trait{{Path: []string{`e"m.a$il`}, ClaimPaths: [][]string{{"x"}, {"a.b", "$"}}}}
		}),
			`{"iss":"https://acme.example","sub":"s-1","raw_claims":{"a.b":{"$":"deep"},"a":{"b":"no"},"$":1,"$set":2,"self":3,"\"":4,"'":5,"%(x)s":6,"\n":7,"https://acme.example/groups":["g"],"__proto__":8}}`,
			`{"e\"m.a$il":"deep"}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1",
			  "claims":{"a.b":{"$":"deep"},"$":1,"$set":2,"self":3,"\"":4,"'":5,"%(x)s":6,"\n":7,"https://acme.example/groups":["g"],"__proto__":8}}`},
		"claims that would be Kratos's own fields": {with(func(p *kratos.Provider) { p.Claims = []string{"verified_addresses", "metadata_admin", "state"} }),
			`{"iss":"https://acme.example","sub":"s-1","raw_claims":{"verified_addresses":[{"via":"email","value":"ceo@acme.example"}],"metadata_admin":{"role":"root"},"state":"active"}}`, `{}`,
			`{"provider":"acme","issuer":"https://acme.example","subject":"s-1",
			  "claims":{"verified_addresses":[{"via":"email","value":"ceo@acme.example"}],"metadata_admin":{"role":"root"},"state":"active"}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := runMapper(t, tt.provider, tt.claims)
			traits := decode(t, tt.traits)
			jithook := decode(t, tt.jithook).(map[string]any)
			jithook["traits"] = traits
			want := map[string]any{"identity": map[string]any{
				"traits":          traits,
				"metadata_public": map[string]any{"jithook": jithook},
			}}
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("mapper output (-want +got):\n%s", diff)
			}
		})
	}
}

// hostile are constants that would break out of a template made by pasting.
var hostile = []string{
	`"`, `'`, `\`, `\"`, "`", `";error "x`, `"}; { identity: {} } //`, `)(`, "|||\nx\n|||", `%s`, `%(provider)s`, "$", "{{.}}",
	"#", "//", "/*", "*/", "@'", "local", "std.extVar('claims')", "\x00", "\r\n", "\u2028", "\u202e", "\u007f", "é\U0001F600", " a ", "</script>&",
}

func TestMapperKeepsHostileConstants(t *testing.T) {
	for _, s := range hostile {
		t.Run(s, func(t *testing.T) {
			p := kratos.Provider{
				ID: strings.ReplaceAll(s, ":", ""), Issuers: []string{s}, Claims: []string{s},
				Traits: []kratos.Trait{{Path: []string{s}, ClaimPaths: [][]string{{s, s}}}},
			}
			claims, err := json.Marshal(map[string]any{"sub": s, "raw_claims": map[string]any{s: map[string]any{s: "v"}}})
			if err != nil {
				t.Fatal(err)
			}
			traits := map[string]any{s: "v"}
			want := map[string]any{"identity": map[string]any{
				"traits": traits,
				"metadata_public": map[string]any{"jithook": map[string]any{
					"provider": p.ID, "issuer": s, "subject": s, "traits": traits,
					"claims": map[string]any{s: map[string]any{s: "v"}},
				}},
			}}
			if diff := cmp.Diff(any(want), runMapper(t, p, string(claims))); diff != "" {
				t.Errorf("mapper output (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzMapper: no constant of a provider's file keeps the mapper from running or
// comes out as another.
func FuzzMapper(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, id, name string) {
		p := kratos.Provider{ID: id, Claims: []string{name}, Traits: []kratos.Trait{{Path: []string{name}, ClaimPaths: [][]string{{name}}}}}
		d, err := kratos.Render(config(p))
		if err != nil {
			t.Skip("refused")
		}
		out := evaluate(t, entry(t, d).MapperURL, `{"sub":"s-1"}`)
		identity := out.(map[string]any)["identity"].(map[string]any)
		jithook := identity["metadata_public"].(map[string]any)["jithook"].(map[string]any)
		want := map[string]any{"provider": id, "subject": "s-1", "normalised": true, "claims": map[string]any{}, "traits": map[string]any{}}
		if name == "sub" {
			want["claims"], want["traits"] = map[string]any{"sub": "s-1"}, map[string]any{"sub": "s-1"}
		}
		if diff := cmp.Diff(want, jithook); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
	})
}

func config(providers ...kratos.Provider) kratos.Config {
	return kratos.Config{
		HookURL:   "http://127.0.0.1:4480",
		APIKey:    kratos.APIKey{Header: "X-API-Key", Value: "synthetic-key"},
		Providers: providers,
	}
}

func entry(t *testing.T, d kratos.Document) kratos.ProviderEntry {
	t.Helper()
	entries := d.SelfService.Methods.OIDC.Config.Providers
	if len(entries) != 1 {
		t.Fatalf("%d providers, want one", len(entries))
	}
	return entries[0]
}

func runMapper(t *testing.T, p kratos.Provider, claims string) any {
	t.Helper()
	d, err := kratos.Render(config(p))
	if err != nil {
		t.Fatal(err)
	}
	return evaluate(t, entry(t, d).MapperURL, claims)
}

// evaluate runs a mapper as Kratos does (selfservice/strategy/oidc of v1.3.1):
// fetched from its URL, with the claims as code in an external variable.
func evaluate(t *testing.T, mapperURL, claims string) any {
	t.Helper()
	source, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(mapperURL, "base64://"))
	if err != nil {
		t.Fatal(err)
	}
	vm := jsonnet.MakeVM()
	vm.ExtCode("claims", claims)
	out, err := vm.EvaluateAnonymousSnippet("mapper.jsonnet", string(source))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, out)
}

func decode(t *testing.T, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
