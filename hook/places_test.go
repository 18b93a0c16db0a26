package hook_test

// These tests prove that a server with more to do than it can says so at once, in
// the words of each contract; that nobody without a credential takes a place; and
// that places are given back, after a panic too.

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/hook/kratos"
	"github.com/jithook/jithook/identity"
)

// crowded is a server with so many places, and this clock.
func crowded(t *testing.T, places int, now func() time.Time) (e *echo.Echo, o hook.Options, shed *int, log *bytes.Buffer) {
	t.Helper()
	caller := hook.Caller{Name: "test", Endpoints: []hook.Endpoint{hook.EndpointLogin, hook.EndpointKratos}, Providers: []string{"*"}, Instance: "main"}
	a, err := hook.NewAuth(hook.Credentials{Now: time.Now, APIKeys: []hook.APIKey{{Caller: caller, Header: "X-API-Key", Values: []string{"key"}}}})
	if err != nil {
		t.Fatal(err)
	}
	shed, log = new(int), &bytes.Buffer{}
	o = hook.Options{Auth: a, Log: slog.New(slog.NewJSONHandler(log, nil)), Places: hook.NewPlaces(places, now, func() { *shed++ })}
	return hook.New(o), o, shed, log
}

func knock(h http.Handler, path, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-API-Key", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPlaces(t *testing.T) {
	const places = 2
	e, o, shed, log := crowded(t, places, time.Now)
	inside, leave := make(chan struct{}), make(chan struct{})
	g := hook.Group(e, o, "/hooks", hook.EndpointLogin, func(c echo.Context, code identity.Code) error { return c.String(599, string(code)) })
	g.POST("/slow", func(c echo.Context) error {
		inside <- struct{}{}
		<-leave
		return c.NoContent(http.StatusNoContent)
	})
	g.POST("/panic", func(echo.Context) error { panic("a fault") })
	for range 3 * places { // as often as there are places, and more
		if w := knock(e, "/hooks/panic", "key"); w.Code != 599 || w.Body.String() != "internal_error" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	done := make(chan int)
	for range places {
		go func() { done <- knock(e, "/hooks/slow", "key").Code }()
		<-inside
	}
	for range 3 {
		if w := knock(e, "/hooks/slow", "key"); w.Code != 599 || w.Body.String() != "overloaded" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if w := knock(e, "/hooks/slow", "wrong"); w.Code != http.StatusUnauthorized {
		t.Errorf("without a credential: %d", w.Code)
	}
	if *shed != 3 || strings.Count(log.String(), "too many requests at the same time") != 1 {
		t.Errorf("%d counted, log %s", *shed, log)
	}
	for range places {
		leave <- struct{}{}
		if code := <-done; code != http.StatusNoContent {
			t.Errorf("who had a place got %d", code)
		}
	}
	go func() { <-inside; leave <- struct{}{} }()
	if w := knock(e, "/hooks/slow", "key"); w.Code != http.StatusNoContent {
		t.Errorf("afterwards: %d", w.Code)
	}
}

// TestNoPlace: what a caller of each contract hears. Kratos has persisted the person
// by the time of a commit, which the next login makes up for.
func TestNoPlace(t *testing.T) {
	e, o, _, _ := crowded(t, 0, time.Now)
	generic.Mount(e, o, &generic.Handler{})
	kratos.Mount(e, o, &kratos.Handler{Log: o.Log})
	w := knock(e, "/hooks/login", "key")
	var r generic.Response
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" ||
		r.Decision != identity.Error || r.Identity != nil || r.Reasons[0].Code != identity.CodeOverloaded {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	for path, want := range map[string]int{"login": 424, "registration/prepare": 424, "settings/check": 424, "registration/commit": 204} {
		w := knock(e, "/hooks/kratos/"+path, "key")
		if w.Code != want || (want == 424) != strings.Contains(w.Body.String(), `"reason":"overloaded"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
