//go:build unix

package strict_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// plainFields reads what stands in the database past jithook: whatever names
// people chose, no field has one that a server could read as an operator or a
// path, or refuse.
func plainFields(t *testing.T, db *mongo.Database) {
	t.Helper()
	documents := 0
	for _, name := range []string{"identities", "decisions"} {
		cursor, err := db.Collection(name).Find(t.Context(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for cursor.Next(t.Context()) {
			documents++
			testPlain(t, name, cursor.Current)
		}
		if err := cursor.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if documents == 0 {
		t.Error("the database has no documents")
	}
}

// testPlain looks at a document and at all that it holds.
func testPlain(t *testing.T, where string, doc bson.Raw) {
	t.Helper()
	elements, err := doc.Elements()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range elements {
		within := where + " > " + e.Key()
		if e.Key() == "" || strings.ContainsAny(e.Key(), "$.") {
			t.Errorf("a field is named %q: %s", e.Key(), within)
		}
		switch v := e.Value(); v.Type {
		case bson.TypeEmbeddedDocument:
			testPlain(t, within, v.Document())
		case bson.TypeArray:
			testPlain(t, within, bson.Raw(v.Array()))
		}
	}
}
