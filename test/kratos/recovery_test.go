//go:build unix

package kratos_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/kratos/kratostest"
)

// TestRecoveryIsADoorToo: a recovery link signs people in and runs no login
// hook; the hook of the recovery flow bars whoever is suspended.
func TestRecoveryIsADoorToo(t *testing.T) {
	t.Parallel()
	recovery, err := kratostest.ParseDocument([]byte(`{"selfservice":{"methods":{"link":{"enabled":true}},"flows":{"recovery":{"enabled":true,"use":"link"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	w, _, s := brokenWorld(t, recovery)
	for _, subject := range []string{"good", "barred"} {
		w.person(subject)
		r := w.signIn(kratostest.SignIn{Subject: subject})
		if r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
		}
		id := r.Session.Identity.ID
		want := http.StatusOK
		if subject == "barred" {
			want = http.StatusUnauthorized
			i := w.found(s, subject)[0]
			i.State = identity.StateSuspended
			i.Revision++
			if err := s.Bolt.Swap(t.Context(), i, identity.Record{ID: "0"}); err != nil {
				t.Fatal(err)
			}
		}
		status, end := recoverAs(t, w.k, id)
		t.Logf("%s: whoami %d at %s", subject, status, end)
		if status != want {
			t.Errorf("%s: whoami %d after recovery, want %d", subject, status, want)
		}
	}
}

// recoverAs follows an administrator's recovery link and returns whoami's status
// and where the browser ended.
func recoverAs(t *testing.T, k *kratostest.Kratos, id string) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"identity_id": id})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.Post(k.AdminURL+"/admin/recovery/link", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	var link struct {
		RecoveryLink string `json:"recovery_link"`
	}
	if err := json.NewDecoder(reply.Body).Decode(&link); err != nil || link.RecoveryLink == "" {
		t.Fatalf("recovery link: %s, %v", reply.Status, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	page, err := browser.Get(link.RecoveryLink)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	text, _ := io.ReadAll(page.Body)
	who, err := browser.Get(k.PublicURL + "/sessions/whoami")
	if err != nil {
		t.Fatal(err)
	}
	defer who.Body.Close()
	return who.StatusCode, page.Request.URL.Path + " " + strings.TrimSpace(string(text[:min(len(text), 600)]))
}
