//go:build unix

package main

import (
	"embed"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/server"
)

// files are the providers' files and the identity schema.
//
//go:embed files
var files embed.FS

// world is everything that runs.
type world struct {
	url          string // of the page
	acme, globex *kratostest.Provider
	kratos       *kratostest.Kratos
	jithook      *kratostest.Jithook
}

// traits are those of the identity schema that the providers' files decide.
var traits = []string{"email", "username", "name", "groups"}

// raise starts everything. The page and the way to Kratos's Admin API have their
// places first: Kratos sends people to the one, jithook's configuration names the
// other, and Kratos needs what jithook says of itself.
func raise(t testing.TB) world {
	t.Helper()
	front, door := listen(t), listen(t)
	w := world{url: "http://" + front.Addr().String()}
	w.acme = kratostest.StartProvider(t, kratostest.ProviderOptions{Title: "ACME"})
	w.globex = kratostest.StartProvider(t, kratostest.ProviderOptions{Title: "GLOBEX"})
	settle(t, w)
	rules := map[string]string{
		"acme.yaml":   strings.Replace(read(t, "acme.yaml"), "ISSUER", w.acme.Issuer, 1),
		"globex.yaml": strings.Replace(read(t, "globex.yaml"), "ISSUER", w.globex.Issuer, 1),
	}
	w.jithook = kratostest.NewJithook(t, kratostest.JithookConfig{
		Binary: server.Build(t), Files: rules, Restore: traits, KratosAdmin: "http://" + door.Addr().String(),
	})
	w.kratos = kratostest.StartKratos(t, kratostest.Config{
		IdentitySchema: read(t, "identity.schema.json"),
		Providers:      []kratostest.OIDCProvider{w.acme.ForKratos("acme"), w.globex.ForKratos("globex")},
		Documents:      []map[string]any{w.jithook.KratosDocument(t), pages(w.url)},
	})
	to, err := url.Parse(w.kratos.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, door, httputil.NewSingleHostReverseProxy(to))
	w.jithook.Start(t)
	serve(t, front, newPage(w, rules))
	return w
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func serve(t testing.TB, l net.Listener, h http.Handler) {
	serving := &http.Server{Handler: h, ReadHeaderTimeout: patience}
	go func() { _ = serving.Serve(l) }()
	t.Cleanup(func() { _ = serving.Close() })
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := files.ReadFile("files/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages sends people from Kratos to our page.
func pages(front string) map[string]any {
	type object = map[string]any
	at := func(path string) object { return object{"ui_url": front + path} }
	return object{"selfservice": object{
		"default_browser_return_url": front + "/",
		"allowed_return_urls":        []any{front + "/"},
		"flows": object{
			"login": at("/login"), "registration": at("/registration"), "error": at("/error"),
			"logout": object{"after": object{"default_browser_return_url": front + "/"}},
		},
		"methods": object{"oidc": object{"config": object{"providers": []any{
			object{"id": "acme", "label": "ACME"}, object{"id": "globex", "label": "GLOBEX"},
		}}}},
	}}
}

// settle makes the people. Each shows one thing; Mallory's name is markup, which
// a page that trusts a provider would run.
func settle(t testing.TB, w world) {
	t.Helper()
	person := func(name, email string, more map[string]any) map[string]any {
		claims := map[string]any{"name": name, "email": email, "email_verified": true}
		for key, value := range more {
			claims[key] = value
		}
		return claims
	}
	w.acme.SetAccount(t, "ann", person("Ann Archer", "ann@acme.example", map[string]any{
		"preferred_username": "ann", "hd": "acme.example", "groups": []string{"staff", "eng", "payroll-admins"},
	}))
	w.acme.SetAccount(t, "ben", person("Ben Baker", "ben@acme.example", map[string]any{"hd": "acme.example", "groups": []string{"staff"}}))
	w.acme.SetAccount(t, "gus", person("Gus Guest", "gus@acme.example", map[string]any{
		"preferred_username": "gus", "hd": "acme.example", "acct": "guest",
	}))
	w.globex.SetAccount(t, "gina", person("Gina Gold", "gina@globex.example", nil))
	w.globex.SetAccount(t, "ivan", person("Ivan Impostor", "ann@acme.example", nil))
	w.globex.SetAccount(t, "mallory", person(`<img src=x onerror="document.title='taken'">`, "mallory@globex.example", nil))
}
