//go:build unix

package threats_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/jithook/jithook/test/server"
)

// forged would end a line of the log and begin one, and do what a terminal does
// for control characters of both kinds, of which the second are one character
// outside ASCII; it also breaks lines and turns the writing around in Unicode's
// way.
const forged = "a\r\nlevel=INFO decision=created\x1b[2K\u009b2K\u0085\u2028\u202e\x7f"

// TestS38_OneLine: what a caller sends to the running server cannot end a line of
// its log, nor begin one, nor reach the terminal of whoever reads it.
func TestS38_OneLine(t *testing.T) {
	binary := server.Build(t)
	for format, escaped := range map[string]string{
		"json": `a\r\nlevel=INFO decision=created\u001b[2K\u009b2K\u0085\u2028\u202e\u007f`,
		"text": `a\r\nlevel=INFO decision=created\x1b[2K\u009b2K\u0085\u2028\u202e\x7f`,
	} {
		t.Run(format, func(t *testing.T) {
			s := server.Start(t, server.Config{
				Binary: binary, LogFormat: format,
				Store:     object{"bolt": object{"path": filepath.Join(t.TempDir(), "jithook.db")}},
				Providers: map[string]string{"acme.yaml": acme, "social.yaml": social},
			})
			s.AwaitReady(t)
			kratos := func(id string, session object) object {
				return object{
					"version": 1, "flow": object{"id": forged, "type": "browser"}, "session": session,
					"identity": object{"id": id, "state": "active", "traits": object{}, "metadata_public": object{"jithook": object{
						"provider": forged, "issuer": "https://acme.example", "subject": "s-1", "claims": object{"name": forged}}}},
				}
			}
			generic := object{"version": 1, "provider": forged, "subject": "s-1", "external_id": "u-1", "flow_id": forged, "claims": object{"name": forged}}
			method := object{"method": "oidc", "provider": forged}
			odd := url.PathEscape(forged) + "%ff%9b"
			for name, call := range map[string]struct {
				method, url string
				body        any
				status      int
				shown       bool // the log shows what was sent
			}{
				"generic":             {"POST", s.Hooks + "/hooks/login", generic, 403, true},
				"prepare":             {"POST", s.Hooks + "/hooks/kratos/registration/prepare", kratos(nobody, object{}), 403, true},
				"login":               {"POST", s.Hooks + "/hooks/kratos/login", kratos("k-1", object{"authentication_methods": []object{method}}), 403, true},
				"bytes that are none": {"POST", s.Hooks + "/hooks/kratos/login", "{\"version\":1,\"\x9b2K\xff\u2028\":1}", 400, false},
				"a path":              {"POST", s.Hooks + "/hooks/kratos/" + odd, object{}, 404, false},
				"an identity":         {"POST", s.Admin + "/admin/v1/identities/" + odd + "/suspend", nil, 404, false},
				"a target":            {"POST", s.Admin + "/admin/v1/outbound/" + odd + "/reconcile", nil, 404, false},
				"an instance":         {"POST", s.Admin + "/admin/v1/kratos/" + odd + "/import", nil, 404, false},
				"a page":              {"POST", s.Admin + "/admin/v1/store/verify?page_token=" + odd, nil, 400, false},
			} {
				t.Run(name, func(t *testing.T) {
					before := len(s.Log(t))
					if status := askOddly(t, call.method, call.url, call.body); status != call.status {
						t.Errorf("status %d, want %d", status, call.status)
					}
					log := s.Log(t)[before:]
					if !clean(log) {
						t.Errorf("not escaped:\n%q", log)
					}
					for line := range strings.Lines(log) {
						if strings.HasPrefix(line, "level=") {
							t.Errorf("a line of the sender's:\n%q", log)
						}
						if format == "json" && !json.Valid([]byte(line)) {
							t.Errorf("no document:\n%q", line)
						}
					}
					if shown := strings.Contains(log, escaped) && strings.Contains(log, "login decided"); shown != call.shown {
						t.Errorf("what was sent is in the log: %v, want %v:\n%s", shown, call.shown, log)
					}
				})
			}
		})
	}
}

// clean reports whether text is lines of what prints.
func clean(text string) bool {
	return utf8.ValidString(text) && (text == "" || strings.HasSuffix(text, "\n")) &&
		!strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
}

// askOddly calls the running server with the right credential, and with a header
// that is no text; body is JSON, or a string as it is.
func askOddly(t *testing.T, method, address string, body any) int {
	t.Helper()
	text, plain := body.(string)
	if !plain && body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(data)
	}
	r, err := http.NewRequest(method, address, bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Api-Key": {server.Secret}, "Authorization": {"Bearer " + server.Secret},
		"Ory-Webhook-Trigger-Id": {fmt.Sprint("\x9b2K\xff", "\u2028\u009b")}, "User-Agent": {"\x9b2K"},
	}
	if strings.Contains(address, "/hooks/") {
		r.Header.Del("Authorization") // several credentials are none
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	_, _ = io.Copy(io.Discard, reply.Body)
	return reply.StatusCode
}
