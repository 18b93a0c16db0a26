//go:build unix

package mongo_test

// The database keeps the contract, whoever else uses it at the same time.

import (
	"testing"

	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/storetest"
)

func TestContract(t *testing.T) {
	srv := peer.Server(t)
	storetest.Suite{Contention: contention(srv)}.Run(t, func(t *testing.T) store.Store {
		return open(t, srv.URI, srv.Database(t))
	})
}
