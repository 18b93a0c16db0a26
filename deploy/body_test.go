// These tests prove what leaves Kratos: over contexts that a real Kratos v1.3.1
// sent (secrets replaced by markers) and over variations of them, the body
// template renders, sends exactly the fields of the wire format, and lets no
// cookie, code, CSRF token or client-supplied payload through. The rendered
// bodies are the goldens in testdata/body; the decoder of package hook/kratos
// is tested on the same files. `go test ./deploy -update` rewrites them.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet"

	"github.com/jithook/jithook/deploy"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// marker stands in the captures wherever something must not leave Kratos.
const marker = "MUST-NOT-LEAVE"

type object = map[string]any

// variations are the contexts: a capture, and what is changed in it.
var variations = map[string]struct {
	capture string
	edit    func(ctx object)
}{
	"prepare": {"prepare", nil},
	"commit":  {"commit", nil},
	"login":   {"login", nil},
	"prepare_metadata_of_the_mapper": {"prepare", func(ctx object) {
		ctx["identity"].(object)["metadata_public"] = object{"jithook": object{
			"provider": "acme", "issuer": "https://acme.example", "subject": "s-1",
			"claims": object{"groups": []any{}, "a.b": "$set", "email_verified": false},
			"traits": object{"email": "s-1@acme.example"},
		}}
	}},
	"prepare_metadata_null":         {"prepare", func(ctx object) { ctx["identity"].(object)["metadata_public"] = nil }},
	"prepare_metadata_absent":       {"prepare", func(ctx object) { delete(ctx["identity"].(object), "metadata_public") }},
	"prepare_transient_payload_nil": {"prepare", func(ctx object) { ctx["flow"].(object)["transient_payload"] = nil }},
	"prepare_native_api": {"prepare", func(ctx object) {
		flow := ctx["flow"].(object)
		flow["type"], flow["transient_payload"] = "api", nil
		ctx["request_cookies"], ctx["request_headers"] = nil, nil
	}},
	"prepare_session_null":   {"prepare", func(ctx object) { ctx["session"] = nil }},
	"prepare_traits_null":    {"prepare", func(ctx object) { ctx["identity"].(object)["traits"] = nil }},
	"login_by_password":      {"login", methods(object{"method": "password", "aal": "aal1", "completed_at": "2026-11-24T15:27:17Z"})},
	"login_without_methods":  {"login", methods()},
	"login_methods_null":     {"login", func(ctx object) { ctx["session"].(object)["authentication_methods"] = nil }},
	"login_methods_absent":   {"login", func(ctx object) { delete(ctx["session"].(object), "authentication_methods") }},
	"login_refresh_with_2fa": {"login", methods(oidc("acme"), object{"method": "totp", "aal": "aal2", "completed_at": "2026-11-24T15:28:00Z"})},
	// An oidc method without provider is how Kratos marks a link.
	"login_links_another_provider": {"login", methods(oidc("acme"), oidc(nil))},
	"login_provider_null":          {"login", methods(oidc(nil))},
	"settings":                     {"login", func(ctx object) { delete(ctx, "session") }},
	"settings_submitted": {"login", func(ctx object) {
		delete(ctx, "session")
		ctx["request_url"] = settingsForm
	}},
	// Registered under a `before` list there is no identity: jithook's answer
	// says so, which an error of the template would not.
	"without_identity": {"prepare", func(ctx object) { delete(ctx, "identity") }},
	"identity_null":    {"prepare", func(ctx object) { ctx["identity"] = nil }},
}

const settingsForm = "https://kratos.example/public/self-service/settings?flow=6a2f3c1e-8f0b-4c52-9a57-3c6a4f1d2e90"

// TestSubmitted: only the settings form's own address is one at which nobody can
// have come back from a provider, however a client spells it, and whatever it
// puts before it by X-Forwarded-Proto (Kratos takes the scheme from there).
func TestSubmitted(t *testing.T) {
	callback := "https://kratos.example/self-service/methods/oidc/callback/globex?code=c&state=s"
	for url, want := range map[any]bool{
		settingsForm: true,
		"http://127.0.0.1:4433/self-service/settings?flow=6a2f3c1e-8f0b-4c52-9a57-3c6a4f1d2e90": true,
		callback: false,
		"https://kratos.example/self-service/methods/oidc/%63allback/globex?code=c&state=s": false,
		settingsForm + "&code=c":                                                             false,
		settingsForm + "://x" + callback:                                                     false,
		settingsForm + "#" + callback:                                                        false,
		"https://x/self-service/settings":                                                    false,
		"https://x/self-service/settings" + callback:                                         false,
		"https://x/self-service/settings?" + callback:                                        false,
		"https://x/self-service/settings/callback?flow=6a2f3c1e-8f0b-4c52-9a57-3c6a4f1d2e90": false,
		"https://kratos.example/self-service/methods/oidc/callback/globex?flow=6a2f3c1e-8f0b-4c52-9a57-3c6a4f1d2e90": false,
		"": false, nil: false, 7.0: false,
	} {
		var b body
		ctx := contextOf(t, "settings")
		ctx["request_url"] = url
		if err := json.Unmarshal(render(t, ctx), &b); err != nil || b.Flow.Submitted != want {
			t.Errorf("%v: submitted %v, %v", url, b.Flow.Submitted, err)
		}
	}
}

func methods(list ...any) func(object) {
	return func(ctx object) { ctx["session"].(object)["authentication_methods"] = list }
}

func oidc(provider any) object {
	return object{"method": "oidc", "aal": "aal1", "completed_at": "2026-11-24T15:27:17.59Z", "provider": provider}
}

func TestBodyIsTheGolden(t *testing.T) {
	for name := range variations {
		t.Run(name, func(t *testing.T) {
			got := render(t, contextOf(t, name))
			golden := filepath.Join("testdata", "body", name+".json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("body differs from %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func TestGoldensHaveAVariation(t *testing.T) {
	files, err := filepath.Glob("testdata/body/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); variations[name].capture == "" {
			t.Errorf("%s belongs to no variation", f)
		}
	}
}

// The wire format, version 1: no other field exists, and none is null.
type body struct {
	Version int `json:"version"`
	Flow    struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		Submitted bool   `json:"submitted"`
	} `json:"flow"`
	Identity *struct {
		ID             string `json:"id"`
		State          string `json:"state"`
		Traits         object `json:"traits"`
		MetadataPublic object `json:"metadata_public"`
	} `json:"identity"`
	Session *struct {
		AuthenticationMethods []struct {
			Method      string `json:"method"`
			Provider    string `json:"provider"`
			CompletedAt string `json:"completed_at"`
		} `json:"authentication_methods"`
	} `json:"session"`
}

// A Kratos that one day says more must not make us send more: every object of
// the context but the person's own (traits, metadata) gets a field that nobody
// knows, and a secret in the fields that are known and stay behind.
func TestBodySendsTheWireFormatAndNoSecret(t *testing.T) {
	for name := range variations {
		t.Run(name, func(t *testing.T) {
			ctx := contextOf(t, name)
			addUnknownFields(ctx)
			if flow := ctx["flow"].(object); flow["transient_payload"] != nil {
				flow["transient_payload"] = object{"traits": marker}
			}
			if i, ok := ctx["identity"].(object); ok {
				i["metadata_admin"], i["credentials"] = object{"a": marker}, object{"oidc": marker}
			}
			got := render(t, ctx)
			if bytes.Contains(got, []byte(marker)) {
				t.Errorf("something left Kratos that must not:\n%s", got)
			}
			if bytes.Contains(got, []byte("null")) {
				t.Errorf("null in the body:\n%s", got)
			}
			d := json.NewDecoder(bytes.NewReader(got))
			d.DisallowUnknownFields()
			var b body
			if err := d.Decode(&b); err != nil {
				t.Fatalf("not the wire format: %v\n%s", err, got)
			}
			if b.Version != 1 || b.Flow.ID == "" || b.Flow.Type == "" {
				t.Errorf("version, flow id or type missing:\n%s", got)
			}
			if _, has := ctx["session"].(object); has != (b.Session != nil) {
				t.Errorf("session sent: %v, in the context: %v", b.Session != nil, has)
			}
		})
	}
}

// The markers themselves: a capture without them would prove nothing.
func TestCapturesHoldMarkersOfEveryKind(t *testing.T) {
	for _, capture := range []string{"prepare", "commit", "login"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "captures", capture+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"cookie", "code", "state", "csrf", "header"} {
			if !bytes.Contains(raw, []byte(marker+"-"+kind)) {
				t.Errorf("%s has no secret of the kind %s", capture, kind)
			}
		}
	}
}

func addUnknownFields(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			addUnknownFields(e)
		}
	case object:
		for name, e := range v {
			if name != "traits" && name != "metadata_public" {
				addUnknownFields(e)
			}
		}
		v["unknown_to_jithook"] = marker
	}
}

func contextOf(t *testing.T, name string) object {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "captures", variations[name].capture+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var ctx object
	if err := json.Unmarshal(raw, &ctx); err != nil {
		t.Fatal(err)
	}
	if edit := variations[name].edit; edit != nil {
		edit(ctx)
	}
	return ctx
}

// render evaluates the template as Kratos does (request/builder.go of v1.3.1):
// an anonymous snippet with the context as its top-level argument.
func render(t *testing.T, ctx object) []byte {
	t.Helper()
	template, err := fs.ReadFile(deploy.FS, "kratos/body.jsonnet")
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	vm := jsonnet.MakeVM()
	vm.TLACode("ctx", string(encoded))
	out, err := vm.EvaluateAnonymousSnippet("body.jsonnet", string(template))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}
