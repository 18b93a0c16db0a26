package main

// These tests prove what is read of a configuration where nothing else would
// notice: whose instance a caller is of, and which secrets are warned about.

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// readText reads a configuration that has nothing wrong.
func readText(t *testing.T, text string) config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jithook.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems, err := readConfig(path)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	return c
}

// TestInstances: callers of two servers each have external ids of their own,
// however they prove themselves.
func TestInstances(t *testing.T) {
	c := readText(t, `
admin: {token: env:A}
auth:
  api_keys: [{name: a, value: env:B, endpoints: [login], providers: [acme], instance: one}]
  basic: [{name: b, user: u, password: env:C, endpoints: [login], providers: [acme], instance: two}]
  webhook_secrets: [{name: c, value: env:D, providers: [acme], instance: three}, {name: d, value: env:E, providers: [acme]}]
store: {bolt: {path: x.db}}
providers: providers
`)
	got := []string{c.apiKeys[0].Instance, c.basics[0].Instance, c.webhooks[0].Instance, c.webhooks[1].Instance}
	if !slices.Equal(got, []string{"one", "two", "three", "main"}) {
		t.Errorf("%q", got)
	}
}

// TestSecretsInClear: of every secret that stands in the configuration itself, its
// line is named.
func TestSecretsInClear(t *testing.T) {
	c := readText(t, `admin:
  token: s
auth:
  api_keys:
    - {name: a, endpoints: [login], providers: [acme], value: s}
    - {name: b, endpoints: [login], providers: [acme], value: env:B}
  basic: [{name: c, user: u, endpoints: [login], providers: [acme], password: s}]
  webhook_secrets: [{name: d, providers: [acme], value: s}]
store: {mongodb: {uri: s, database: d}}
userstores: {employees: {mongodb: {uri: s, database: e}}}
providers: providers
kratos: {instances: {main: {admin_url: "http://127.0.0.1:4434", token: s}}}
outbound:
  one: {webhook: {url: "https://one.example", secret: s}}
  two: {scim: {url: "https://two.example", auth: {bearer: s}, attributes: {userName: identity.id}}}
  three: {scim: {url: "https://three.example", auth: {basic: {user: u, password: s}}, attributes: {userName: identity.id}}}
  four: {scim: {url: "https://four.example", auth: {oauth2: {token_url: "https://four.example/token", client_id: i, client_secret: s}}, attributes: {userName: identity.id}}}
  five: {scim: {url: "https://five.example", auth: {bearer: file:token}, attributes: {userName: identity.id}}}
telemetry: {endpoint: "http://127.0.0.1:4318", headers: {X-Key: s}}
decisions: {record_claims: hashed, keys: [{id: k, value: s}]}
`)
	var lines []int
	for _, s := range c.secretsInClear() {
		lines = append(lines, s.at.Line)
	}
	slices.Sort(lines)
	if want := []int{2, 5, 7, 8, 9, 10, 12, 14, 15, 16, 17, 19, 20}; !slices.Equal(lines, want) {
		t.Errorf("lines %v, want %v", lines, want)
	}
}
