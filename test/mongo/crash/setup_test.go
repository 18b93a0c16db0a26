//go:build unix

package crash_test

// A process that dies while it sets up a new database leaves what the next one
// makes complete: above all the index that keeps two people from one account.

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

// settingUp is what a process sends to a database that is not there yet.
var settingUp = []string{
	"insert meta", "find meta", // the layout
	"createIndexes probe", "insert probe", "insert probe", // does the server enforce what everything rests on?
	"createIndexes identities", "createIndexes decisions", "createIndexes receipts",
	"find identities", // the first sweep
}

func TestKilledInSetUp(t *testing.T) {
	server := peer.Server(t)
	proxy := faultproxy.Start(t, server.URI)
	complete := server.Database(t)
	stop := proxy.Watch()
	last := proxy.On(match(settingUp, len(settingUp)-1), faultproxy.Delay(0))
	v := start(t, proxy.URI, complete, "", "")
	v.await("its last command", last.Served())
	v.end()
	if got := stop(); !slices.Equal(got, settingUp) {
		t.Fatalf("it sent\n%q, the table has\n%q", got, settingUp)
	}
	want := indexes(t, server, complete)

	for n, command := range settingUp {
		for _, m := range moments {
			t.Run(fmt.Sprintf("%s %s (%d)", m.name, command, n+1), func(t *testing.T) {
				proxy.Heal()
				w := world{server: server, proxy: proxy, database: server.Database(t)}
				rule := proxy.On(match(settingUp, n), m.fault)
				start(t, proxy.URI, w.database, "", "").kill(m.name+" "+command, m.when(rule))
				w.house = w.open(t)
				if got := indexes(t, server, w.database); !slices.Equal(got, want) {
					t.Errorf("indexes\n%q, want\n%q", got, want)
				}
				w.want(t, "s-1", nobody)
				w.heals(t, operations["first login"], "s-1", nobody)
				i, err := only(t.Context(), w.house, "s-1")
				must(t, err)
				i.ID += "-double"
				var taken *store.TakenError
				if err := w.store.Insert(t.Context(), i, identity.Record{}); !errors.As(err, &taken) {
					t.Errorf("a second identity of one subject: %v, want a TakenError", err)
				}
			})
		}
	}
}

// indexes lists the indexes of a database: whose, and what each holds.
func indexes(t *testing.T, server *mongotest.Server, database string) []string {
	t.Helper()
	db := server.Client(t).Database(database)
	var out []string
	for _, collection := range []string{"identities", "decisions", "probe"} {
		cursor, err := db.Collection(collection).Indexes().List(t.Context())
		must(t, err)
		var found []struct {
			Name           string
			Key            bson.D
			Unique, Sparse bool
		}
		must(t, cursor.All(t.Context(), &found))
		for _, index := range found {
			out = append(out, fmt.Sprintf("%s %+v", collection, index))
		}
	}
	slices.Sort(out)
	return out
}
