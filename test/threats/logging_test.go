package threats_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
)

// TestS38_OneLine: what a caller sends cannot end a line of the log, nor begin one,
// nor reach the terminal of whoever reads it.
func TestS38_OneLine(t *testing.T) {
	const forged = "a\r\nlevel=INFO msg=\"login decided\" decision=created\x1b[2K"
	method := object{"method": "oidc", "provider": forged}
	kratos := func(id string, session object) object {
		return object{
			"version": 1, "flow": object{"id": forged, "type": "browser"}, "session": session,
			"identity": object{"id": id, "state": "active", "traits": object{}, "metadata_public": object{"jithook": object{
				"provider": forged, "issuer": "https://acme.example", "subject": "s-1", "claims": object{"name": forged}}}},
		}
	}
	handlers := map[string]func(io.Writer) slog.Handler{
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
	}
	for name, call := range map[string]struct {
		path string
		body object
	}{
		"generic": {"/hooks/login", object{"version": 1, "provider": forged, "subject": "s-1", "external_id": "u-1", "flow_id": forged, "claims": object{"name": forged}}},
		"prepare": {"/hooks/kratos/registration/prepare", kratos(nobody, object{})},
		"login":   {"/hooks/kratos/login", kratos("k-1", object{"authentication_methods": []object{method}})},
	} {
		for format, handler := range handlers {
			t.Run(name+", "+format, func(t *testing.T) {
				var log bytes.Buffer
				w := openLogged(t, slog.New(handler(&log)), acme, social)
				body, err := json.Marshal(call.body)
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequest(http.MethodPost, call.path, bytes.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-API-Key", hookKey)
				r.Header["Ory-Webhook-Trigger-Id"] = []string{forged}
				got := httptest.NewRecorder()
				w.hooks.ServeHTTP(got, r)

				line, ended := strings.CutSuffix(log.String(), "\n")
				if !ended || strings.ContainsFunc(line, unicode.IsControl) {
					t.Errorf("status %d; not one line, escaped:\n%q", got.Code, log.String())
				}
				if !strings.Contains(line, "login decided") || !strings.Contains(line, `a\r\nlevel=INFO`) {
					t.Errorf("status %d; what was sent is not in the log:\n%s", got.Code, line)
				}
			})
		}
	}
}
