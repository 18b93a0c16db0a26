package threats_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestS30_MappedFields: an operator may call a trait what Kratos calls its own
// fields. It is a trait then, and nothing else.
func TestS30_MappedFields(t *testing.T) {
	names := []string{"schema_id", "state", "metadata_admin", "recovery_addresses", "verifiable_addresses", "credentials", "id"}
	file, claims := acme, object{"email": "ann@acme.example", "email_verified": true, "groups": []string{}}
	for _, n := range names {
		file = strings.Replace(file, "traits:\n", "traits:\n  "+n+": {value: claims."+n+"}\n", 1)
		claims[n] = "evil"
	}
	w := open(t, file)
	_, reply := w.register(person{"acme", "ann", claims})
	got, ok := reply["identity"].(object)
	if !ok {
		t.Fatalf("%v", reply)
	}
	traits := got["traits"].(object)
	for _, n := range names {
		if traits[n] != "evil" {
			t.Errorf("trait %s is %v", n, traits[n])
		}
		if n != "verifiable_addresses" && got[n] != nil {
			t.Errorf("the reply has %s", n)
		}
	}
	want := []any{object{"value": "ann@acme.example", "via": "email", "verified": true, "status": "completed"}}
	if diff := cmp.Diff(want, got["verifiable_addresses"]); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

// TestS31_UnlistedGroups: only names that the file lists are granted, compared
// exactly. The look-alikes are data.
func TestS31_UnlistedGroups(t *testing.T) {
	data, err := os.ReadFile("testdata/S31-groups.json")
	if err != nil {
		t.Fatal(err)
	}
	var claimed []any
	if err := json.Unmarshal(data, &claimed); err != nil || len(claimed) < 10 {
		t.Fatalf("%d names, %v", len(claimed), err)
	}
	p := person{"acme", "ann", object{"email": "ann@acme.example", "email_verified": true, "groups": claimed}}
	for name, enter := range map[string]func(world) (int, object){
		"generic": func(w world) (int, object) { return w.generic(p) },
		"kratos":  func(w world) (int, object) { return w.register(p) },
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, acme)
			if status, reply := enter(w); status != http.StatusOK {
				t.Fatalf("%d %v", status, reply)
			}
			if diff := cmp.Diff([]string{"staff"}, w.groups()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func (w world) groups() []string {
	w.t.Helper()
	var names []string
	for _, g := range w.all()[0].Groups {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return names
}

// TestS32_Overage: a person in more groups than fit into a token keeps those
// that they have, and jithook goes nowhere to ask.
func TestS32_Overage(t *testing.T) {
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer elsewhere.Close()
	for name, mark := range map[string]object{
		"_claim_names": {"_claim_names": object{"groups": "src1"}, "_claim_sources": object{"src1": object{"endpoint": elsewhere.URL}}},
		"hasgroups":    {"hasgroups": true},
		"none":         {}, // the file's absent: clear
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, acme)
			w.generic(ann)
			overage := object{"email": "ann@acme.example", "email_verified": true, "name": "Ann"}
			for k, v := range mark {
				overage[k] = v
			}
			if status, reply := w.generic(person{ann.provider, ann.subject, overage}); status != http.StatusOK {
				t.Fatalf("%d %v", status, reply)
			}
			var want []string
			if len(mark) > 0 {
				want = []string{"engineering"}
			}
			if diff := cmp.Diff(want, w.groups()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("fetched %d times", n)
	}
}
