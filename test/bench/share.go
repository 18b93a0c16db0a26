//go:build linux

package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/server"
)

// meter stands between Kratos and jithook, and adds up how long its calls took.
type meter struct {
	url  string
	took atomic.Int64
	to   atomic.Pointer[httputil.ReverseProxy]
}

func startMeter(t testing.TB) *meter {
	m := &meter{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		m.to.Load().ServeHTTP(w, r)
		m.took.Add(int64(time.Since(start)))
	}))
	t.Cleanup(s.Close)
	m.url = s.URL
	return m
}

// share is which part of a whole sign-in the hooks are: a real Kratos, a real OpenID
// provider, and somebody's browser, one person after the other.
func (w *World) share(t testing.TB) []Row {
	m := startMeter(t)
	op := kratostest.StartProvider(t, kratostest.ProviderOptions{})
	acme := strings.Replace(file("acme"), "https://acme.example.test", op.Issuer, 1)
	acme = strings.Replace(acme, "  department: {value: claims.department}\n  locale: {value: claims.locale}\n", "", 1) // Kratos's schema has fewer
	c := kratostest.JithookConfig{
		Binary: server.Build(t), Files: map[string]string{"acme.yaml": acme},
		HookURL: m.url, Restore: []string{"email", "name"}, Store: w.storage(t, "mongo").section(),
	}
	j := kratostest.NewJithook(t, c)
	k := kratostest.StartKratos(t, kratostest.Config{
		Providers: []kratostest.OIDCProvider{op.ForKratos("acme")}, Documents: []map[string]any{j.KratosDocument(t)},
	})
	to, err := url.Parse(j.ListenURL)
	if err != nil {
		t.Fatal(err)
	}
	m.to.Store(httputil.NewSingleHostReverseProxy(to))
	j.Start(t)
	people := max(3, w.Size.People/40)
	var whole, hooks [2][]time.Duration // of first sign-ins, and of later ones
	for n := range people {
		subject := fmt.Sprintf("bench-%d", n)
		op.SetAccount(t, subject, map[string]any{"email": subject + "@example.test", "email_verified": true, "name": "Person", "groups": []string{"staff"}})
		for again := range whole {
			before, start := m.took.Load(), time.Now()
			r := kratostest.NewBrowser().SignIn(t, k, kratostest.SignIn{Provider: "acme", Subject: subject})
			if r.Outcome != kratostest.OutcomeSession {
				t.Fatalf("sign-in ended at %q with %v", r.Outcome, r.Messages)
			}
			whole[again] = append(whole[again], time.Since(start))
			hooks[again] = append(hooks[again], time.Duration(m.took.Load()-before))
		}
	}
	return []Row{
		compared("a first sign-in at Kratos by a browser, and all calls of jithook in it", whole[0], hooks[0], rounded),
		compared("a later one", whole[1], hooks[1], rounded),
	}
}
