//go:build linux

package bench

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/postgres"
)

// beside is a first login, beside what Kratos itself takes to make an identity with
// the same traits through its Admin API, on PostgreSQL. Both databases are
// PostgreSQL's in the end, without a flush to the disk.
func (w *World) beside(t testing.TB) []Row {
	db := postgres.Start(t)
	k := kratostest.StartKratos(t, kratostest.Config{DSN: db.Database(t)})
	create := newClient(k.AdminURL + "/admin/identities")
	b, _ := w.serve(t, w.storage(t, "mongo"))
	number := int64(0)
	part := func(call Call) func() turn {
		return func() turn {
			var p Part
			p, number = Closed(w.Size.Callers, w.Size.Part, number, call)
			return turn{Part: p}
		}
	}
	first := part(func(n int64) Answer {
		return create.post(http.StatusCreated, fmt.Appendf(nil, `{"schema_id":"default","traits":{"name":"Person %d","email":"p%d@example.test","department":"engineering","groups":["staff","eng","oncall"]}}`, n, n))
	})
	second := part(func(n int64) Answer { return b.login("acme", n) })
	_, _ = first(), second() // warm
	as, bs := takeTurns(t, w.Size.Rounds, first, second)
	w.plots = append(w.plots, latencies("", "Time of making an identity", "Kratos's Admin API", "jithook", as, bs))
	return []Row{
		compared("identities made: Kratos's Admin API on PostgreSQL, and first logins, store mongo", of(as, rate), of(bs, rate), perSecond).atLeast(1),
		compared("its p99", of(as, p99), of(bs, p99), rounded),
	}
}
