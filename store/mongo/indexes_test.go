//go:build unix

package mongo_test

// What nearly all records have in common is in no index, and yet each question after
// them is answered by one.

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func TestIndexesOfRecords(t *testing.T) {
	srv := peer.Server(t)
	name := srv.Database(t)
	s := open(t, srv.URI, name)
	denied, unchanged := newRecord(newIdentity(1)), newRecord(newIdentity(2))
	denied.Decision, denied.FlowID, unchanged.Decision = identity.Denied, "a flow", identity.Unchanged
	must(t, s.Record(t.Context(), []identity.Record{denied, unchanged}, nil))

	records := behind(t, srv, name).Collection("decisions")
	var made []struct {
		Name   string `bson:"name"`
		Filter bson.M `bson:"partialFilterExpression"`
	}
	cursor, err := records.Indexes().List(t.Context())
	must(t, err)
	must(t, cursor.All(t.Context(), &made))
	var got []string
	for _, m := range made {
		got = append(got, strings.TrimSpace(fmt.Sprint(m.Name, " ", m.Filter)))
	}
	slices.Sort(got)
	want := []string{"_id_ {}", `flows {"flow_id":{"$exists":true}}`, "identity {}", `notable {"notable":true}`, "subject {}"}
	if !slices.Equal(got, want) {
		t.Errorf("indexes %q, want %q", got, want)
	}

	for index, filter := range map[string]bson.D{
		"flows":   {{Key: "flow_id", Value: "a flow"}},
		"notable": {{Key: "decision", Value: "denied"}, {Key: "notable", Value: true}},
	} {
		var plan bson.M
		must(t, records.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: bson.D{
			{Key: "find", Value: "decisions"}, {Key: "filter", Value: filter}, {Key: "sort", Value: bson.D{{Key: "_id", Value: -1}}},
		}}}).Decode(&plan))
		text, err := bson.MarshalExtJSON(plan, false, false)
		must(t, err)
		if !strings.Contains(string(text), `"indexName":"`+index+`"`) {
			t.Errorf("%v is not answered by %s: %s", filter, index, text)
		}
	}

	// The store asks as the index is made: who is not marked is not found.
	ids := func() []string {
		t.Helper()
		page, err := s.Decisions(t.Context(), store.DecisionQuery{Decision: identity.Denied})
		must(t, err)
		var ids []string
		for _, r := range page.Records {
			ids = append(ids, r.ID)
		}
		return ids
	}
	if got := ids(); !slices.Equal(got, []string{denied.ID}) {
		t.Errorf("denied: %v", got)
	}
	_, err = records.UpdateMany(t.Context(), bson.D{}, bson.D{{Key: "$unset", Value: bson.D{{Key: "notable", Value: ""}}}})
	must(t, err)
	if got := ids(); len(got) > 0 {
		t.Errorf("denied, without the mark: %v", got)
	}
}
