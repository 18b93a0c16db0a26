//go:build unix

package faults_test

// Who signs in here, and by which call.

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/server"
)

const (
	issuer = "https://acme.example"
	domain = "acme.example"
)

const acme = `
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit:
  enabled: true
  deny: [{when: "has(claims.guest) && claims.guest == true", code: guest, message: "Guests have no account here."}]
traits:
  email: {value: claims.email, verified: "true", canonical: email, unique: true, required: true}
  name: {value: claims.name}
outbound: [events]
`

type object = map[string]any

// person is one subject at the provider.
type person struct {
	subject string
	name    string // what the provider says now
	guest   bool
	kratos  string // the id that Kratos gives
	id      string // jithook's, once an answer told it
}

// subjects is how all subjects begin: no log may hold it.
const subjects = "subject-of-a-test-"

func newPerson() *person {
	return &person{subject: subjects + uuid.NewString(), name: "Ann", kratos: uuid.NewString()}
}

func (p *person) fedKey() identity.Key { return identity.FedKey(issuer, p.subject) }

func (p *person) email() string { return p.subject + "@" + domain }

func (p *person) claims() object {
	c := object{"email": p.email(), "name": p.name}
	if p.guest {
		c["guest"] = true
	}
	return c
}

// call is one request of an identity server.
type call struct {
	path string
	body func(testing.TB, *person) object
}

var (
	login   = call{"/hooks/login", func(_ testing.TB, p *person) object { return p.at(time.Now()) }}
	prepare = call{"/hooks/kratos/registration/prepare", func(t testing.TB, p *person) object {
		body := captured(t, "prepare_metadata_of_the_mapper")
		public(body)["claims"], public(body)["subject"] = p.claims(), p.subject
		public(body)["traits"] = object{"email": p.email(), "name": p.name}
		return body
	}}
	commit      = call{"/hooks/kratos/registration/commit", func(t testing.TB, p *person) object { return p.persisted(captured(t, "commit")) }}
	kratosLogin = call{"/hooks/kratos/login", func(t testing.TB, p *person) object { return p.persisted(captured(t, "login")) }}
)

// at is a login of the generic contract with claims of that time.
func (p *person) at(when time.Time) object {
	return object{"version": 1, "provider": "acme", "subject": p.subject, "claims": p.claims(), "at": when.UTC(), "flow_id": uuid.NewString()}
}

// persisted is what Kratos sends once it has the person: prepare's reply took
// the claims away.
func (p *person) persisted(body object) object {
	who := body["identity"].(object)
	who["id"] = p.kratos
	who["metadata_public"] = object{"jithook": object{"provider": "acme", "issuer": issuer, "subject": p.subject, "identity_id": p.id}}
	return body
}

func public(body object) object {
	return body["identity"].(object)["metadata_public"].(object)["jithook"].(object)
}

// captured is what our template makes of a real Kratos's call.
func captured(t testing.TB, name string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "testdata", "body", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var body object
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	flow := maps.Clone(body["flow"].(object))
	flow["id"] = uuid.NewString()
	body["flow"] = flow
	return body
}

// make calls the server, and learns jithook's id from the answer.
func (c call) make(t testing.TB, s *server.Server, p *person) result {
	t.Helper()
	body := c.body(t, p)
	r := result{Answer: s.Post(t, c.path, body), path: c.path}
	r.flow, _ = body["flow_id"].(string)
	if flow, ok := body["flow"].(object); ok {
		r.flow, _ = flow["id"].(string)
	}
	if len(r.Body) > 0 {
		if err := json.Unmarshal(r.Body, &r.reply); err != nil {
			t.Fatalf("%s: %v: %s", c.path, err, r.Body)
		}
	}
	if id := r.id(); id != "" {
		p.id = id
	}
	return r
}

// result is an answer in the words of either contract.
type result struct {
	server.Answer
	path, flow string
	reply      struct {
		Decision   identity.Decision
		DecisionID string `json:"decision_id"`
		Reasons    []identity.Reason
		Identity   struct {
			ID       string
			Traits   object
			Metadata struct {
				Jithook struct {
					IdentityID string `json:"identity_id"`
				}
			} `json:"metadata_public"`
		}
		Messages []struct {
			Messages []struct {
				Text    string
				Context struct {
					Reason     identity.Code
					DecisionID string `json:"decision_id"`
				}
			}
		}
	}
}

func (r result) String() string { return fmt.Sprintf("%s: %d %s", r.path, r.Status, r.Body) }

// passed reports whether the identity server was told to go on.
func (r result) passed() bool { return r.Status == 200 || r.Status == 204 }

// id is jithook's id of the person, where the answer tells it.
func (r result) id() string {
	if r.path == prepare.path {
		return r.reply.Identity.Metadata.Jithook.IdentityID
	}
	return r.reply.Identity.ID
}

// why is the reason of a refusal, with the id of its record.
func (r result) why() (code identity.Code, decision string) {
	if len(r.reply.Reasons) > 0 {
		return r.reply.Reasons[0].Code, r.reply.DecisionID
	}
	for _, field := range r.reply.Messages {
		for _, m := range field.Messages {
			return m.Context.Reason, m.Context.DecisionID
		}
	}
	return "", ""
}
