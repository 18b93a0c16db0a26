// These tests prove that a credential learns nothing of people of providers that it
// may not speak for, however it names them.
package kratos_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/hook"
	wire "github.com/jithook/jithook/hook/kratos"
	"github.com/jithook/jithook/identity"
)

// stranger is the same server as another Kratos sees it, whose credential may speak
// for globex alone.
func (s *server) stranger() *server {
	caller := hook.Caller{Name: "stranger", Endpoints: []hook.Endpoint{hook.EndpointKratos}, Providers: []string{"globex"}, Instance: "other"}
	auth, err := hook.NewAuth(hook.Credentials{Now: time.Now, APIKeys: []hook.APIKey{{Caller: caller, Header: "X-API-Key", Values: []string{"key"}}}})
	if err != nil {
		s.t.Fatal(err)
	}
	o := hook.Options{Auth: auth, Log: slog.New(slog.NewJSONHandler(&s.log, nil)), Ready: s.Bolt.Ping}
	e := hook.New(o)
	wire.Mount(e, o, &wire.Handler{Service: s.Service.Service, Log: o.Log})
	h := httptest.NewServer(e)
	s.t.Cleanup(h.Close)
	return &server{Service: s.Service, url: h.URL + "/hooks/kratos", t: s.t}
}

func TestS62_AnotherProvidersPeople(t *testing.T) {
	s := serve(t)
	s.post("/registration/prepare", payload(nobody))
	s.post("/registration/commit", payload("k-1", signedIn()))
	other := s.stranger()
	// Ann's subject is no secret; her traits and groups are.
	named := func(id string) object {
		return payload(id, traits(object{"email": "", "name": "", "groups": []string{}}), func(i, _ object) {
			i["metadata_public"].(object)["jithook"] = object{"provider": "acme", "issuer": "https://acme.example", "subject": "s-1"}
		})
	}
	for _, state := range []identity.State{identity.StateActive, identity.StateSuspended} {
		i := s.only()
		i.State = state
		i.Revision++
		if err := s.Bolt.Swap(t.Context(), i, identity.Record{}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"k-1", "k-9"} {
			for path, p := range map[string]object{
				"/settings/profile": named(id),
				"/settings/check":   submitted(named(id)),
				"/login":            payload(id, signedIn(object{"method": "password"}), func(i, _ object) { i["metadata_public"] = named(id)["identity"].(object)["metadata_public"] }),
			} {
				status, reply := other.post(path, p)
				text, _ := json.Marshal(reply)
				for _, secret := range []string{"ann@", "Ann", "engineering", "suspended"} {
					if strings.Contains(string(text), secret) {
						t.Errorf("%s of %s, %s: %d %s", path, id, state, status, text)
					}
				}
			}
		}
	}
	// Their own Kratos has them back, by the same words.
	_, reply := s.post("/settings/profile", named("k-9"))
	if _, reason := message(t, reply); reason != "suspended" {
		t.Errorf("%v", reply)
	}
}
