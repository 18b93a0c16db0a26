//go:build unix

package kratostest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Identity is an identity as Kratos's Admin API shows it.
type Identity struct {
	ID                  string              `json:"id"`
	State               string              `json:"state"`
	SchemaID            string              `json:"schema_id"`
	Traits              map[string]any      `json:"traits"`
	MetadataPublic      map[string]any      `json:"metadata_public"`
	MetadataAdmin       map[string]any      `json:"metadata_admin"`
	VerifiableAddresses []VerifiableAddress `json:"verifiable_addresses"`
	Credentials         map[string]struct {
		Identifiers []string `json:"identifiers"`
	} `json:"credentials"`
}

// VerifiableAddress is one address of an Identity.
type VerifiableAddress struct {
	Value    string `json:"value"`
	Via      string `json:"via"`
	Verified bool   `json:"verified"`
	Status   string `json:"status"`
}

// GetIdentity returns the identity with the given id. A missing one fails the
// test; see ListIdentities for a look that may find nothing.
func (k *Kratos) GetIdentity(t testing.TB, id string) Identity {
	t.Helper()
	var found Identity
	k.admin(t, http.MethodGet, "/admin/identities/"+url.PathEscape(id), http.StatusOK, &found)
	return found
}

// ListIdentities returns all identities; more than 1000 fail the test.
func (k *Kratos) ListIdentities(t testing.TB) []Identity {
	t.Helper()
	return k.list(t, url.Values{})
}

// IdentitiesByCredential returns the identities with the given identifier of a
// credential. That of a federated sign-in is "provider:subject".
func (k *Kratos) IdentitiesByCredential(t testing.TB, identifier string) []Identity {
	t.Helper()
	return k.list(t, url.Values{"credentials_identifier": {identifier}})
}

func (k *Kratos) list(t testing.TB, query url.Values) []Identity {
	t.Helper()
	const size = 1000
	query.Set("page_size", fmt.Sprint(size))
	var found []Identity
	k.admin(t, http.MethodGet, "/admin/identities?"+query.Encode(), http.StatusOK, &found)
	if len(found) == size {
		t.Fatalf("list identities: a full page of %d, there may be more", size)
	}
	return found
}

// DeleteIdentity deletes an identity with its credentials and sessions.
func (k *Kratos) DeleteIdentity(t testing.TB, id string) {
	t.Helper()
	k.admin(t, http.MethodDelete, "/admin/identities/"+url.PathEscape(id), http.StatusNoContent, nil)
}

// Import makes an identity (the body of POST /admin/identities).
func (k *Kratos) Import(t testing.TB, body map[string]any) Identity {
	t.Helper()
	var made Identity
	k.send(t, http.MethodPost, "/admin/identities", body, http.StatusCreated, &made)
	return made
}

// Credentials are credentials as Kratos imports them.
func Credentials(password string, identifiers ...string) map[string]any {
	var providers []any
	for _, i := range identifiers {
		provider, subject, _ := strings.Cut(i, ":")
		providers = append(providers, map[string]any{"provider": provider, "subject": subject})
	}
	return map[string]any{
		"password": object("config", object("password", password)),
		"oidc":     object("config", object("providers", providers)),
	}
}

// admin calls the Admin API and decodes the reply into out, if there is one.
func (k *Kratos) admin(t testing.TB, method, path string, want int, out any) {
	t.Helper()
	k.send(t, method, path, nil, want, out)
}

func (k *Kratos) send(t testing.TB, method, path string, in any, want int, out any) {
	t.Helper()
	var payload io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, k.AdminURL+path, payload)
	if err != nil {
		t.Fatalf("Kratos admin: %v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	status, body, err := k.do(req)
	if err != nil {
		t.Fatalf("Kratos admin: %v", err)
	}
	if status != want {
		t.Fatalf("Kratos admin: %s %s: status %d, want %d: %s", method, path, status, want, body)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(body, out); err != nil {
		t.Fatalf("Kratos admin: %s %s: %v", method, path, err)
	}
}

// do sends a request and returns status and body, of which 4 MiB at most.
func (k *Kratos) do(req *http.Request) (int, []byte, error) {
	resp, err := k.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return resp.StatusCode, body, err
}

// getJSON asks Kratos's public API with the given headers and decodes a 200.
func (k *Kratos) getJSON(ctx context.Context, path string, header http.Header, out any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.PublicURL+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header = header.Clone()
	req.Header.Set("Accept", "application/json")
	status, body, err := k.do(req)
	if err != nil || status != http.StatusOK {
		return status, err
	}
	return status, json.Unmarshal(body, out)
}

// mustGetJSON is getJSON where every other status is an error.
func (k *Kratos) mustGetJSON(ctx context.Context, path string, header http.Header, out any) error {
	status, err := k.getJSON(ctx, path, header, out)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return err
}
