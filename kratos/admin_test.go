// These tests prove what the client of the Admin API does with answers that no
// healthy Kratos gives: they cost little, they are never taken for "gone", and
// no word of them stands in an error. (What a real Kratos answers is proven in
// test/kratos.)
package kratos_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/kratos"
)

// answering returns the Admin API of a server with this handler.
func answering(t *testing.T, token string, h http.HandlerFunc) *kratos.Admin {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	admin, err := kratos.NewAdmin(server.URL, token)
	if err != nil {
		t.Fatal(err)
	}
	return admin
}

const notFound = `{"error":{"code":404,"status":"Not Found","message":"canary"}}`

func TestHostileAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string // in the error of Account
	}{
		"server error":           {500, `{"error":{"code":500,"message":"canary"}}`, "status 500"},
		"not the Admin API":      {404, `<html>canary</html>`, "status 404"},
		"another 404":            {404, `{"canary":true}`, "status 404"},
		"redirect":               {307, "", "status 307"},
		"another identity":       {200, `{"id":"canary","schema_id":"s","schema_url":"u","traits":{}}`, "another one"},
		"no JSON":                {200, `canary`, "cannot be read"},
		"a member twice":         {200, `{"id":"k-1","id":"canary","schema_id":"s","schema_url":"u","traits":{}}`, "cannot be read"},
		"more than is read":      {200, `{"id":"` + strings.Repeat("canary", 1<<18) + `"}`, "longer than"},
		"an error without bound": {500, strings.Repeat("canary", 1<<18), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			admin := answering(t, "", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Location", "/canary")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			_, err := admin.Account(t.Context(), "k-1")
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") || errors.Is(err, kratos.ErrNoIdentity) {
				t.Errorf("account: %v", err)
			}
			if gone, err := admin.Gone(t.Context(), "k-1"); gone || err == nil {
				t.Errorf("gone: %v, %v", gone, err)
			}
		})
	}
}

// TestGoneNeedsTwoWords: a 404 of one call is not enough.
func TestGoneNeedsTwoWords(t *testing.T) {
	for list, want := range map[string]bool{
		`[]`: true,
		`[{"id":"k-1","schema_id":"s","schema_url":"u","traits":{}}]`: false,
		`{}`: false,
		``:   false,
	} {
		admin := answering(t, "", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/admin/identities/k-1" {
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, notFound)
				return
			}
			fmt.Fprint(w, list)
		})
		if gone, err := admin.Gone(t.Context(), "k-1"); gone != want {
			t.Errorf("list %q: gone %v, %v", list, gone, err)
		}
	}
}

// TestCredentialsUnknown: an answer without credentials does not say that there
// are none.
func TestCredentialsUnknown(t *testing.T) {
	for body, want := range map[string]int{
		``:                  -1,
		`,"credentials":{}`: 0,
		`,"credentials":{"oidc":{"identifiers":["", ":", "acme:", ":s", "acme:s"]}}`: 1,
	} {
		admin := answering(t, "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"id":"k-1","schema_id":"s","schema_url":"u","traits":{}%s}`, body)
		})
		a, err := admin.Account(t.Context(), "k-1")
		if err != nil || (want < 0) != (a.Credentials == nil) || want >= 0 && len(a.Credentials) != want {
			t.Errorf("%s: %+v, %v", body, a, err)
		}
	}
}

// TestTokenGoesToKratosAlone: no redirect carries it away.
func TestTokenGoesToKratosAlone(t *testing.T) {
	var elsewhere, got string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere = "asked" }))
	defer other.Close()
	admin := answering(t, "the-token", func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if err := admin.SetActive(t.Context(), "k-1", false); err == nil || got != "Bearer the-token" || elsewhere != "" {
		t.Errorf("%v, sent %q, elsewhere %q", err, got, elsewhere)
	}
}

// TestAdminEndsWithTheLogin: a Kratos that does not answer costs no more than
// the deadline.
func TestAdminEndsWithTheLogin(t *testing.T) {
	hang := make(chan struct{})
	admin := answering(t, "", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-hang:
		}
	})
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := admin.Account(ctx, "k-1"); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "k-1") {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := admin.Account(ctx, "k-1"); err == nil || ctx.Err() != nil {
		t.Errorf("without a deadline of the login a call goes on: %v", err)
	}
}

func TestAdminURL(t *testing.T) {
	for _, bad := range []string{"", "kratos:4434", "ftp://kratos", "http://user:canary@kratos", "http://kratos?x", "http://kratos#x", "http://"} {
		if _, err := kratos.NewAdmin(bad, ""); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
