package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/mongo"
)

var (
	_ store.Store        = (*bolt.Store)(nil)
	_ provision.Store    = (*bolt.Store)(nil)
	_ provision.Journal  = (*bolt.Store)(nil)
	_ provision.Editable = (*bolt.Store)(nil)
	_ admin.Store        = (*bolt.Store)(nil)
	_ store.Store        = (*mongo.Store)(nil)
	_ provision.Store    = (*mongo.Store)(nil)
	_ provision.Journal  = (*mongo.Store)(nil)
	_ provision.Editable = (*mongo.Store)(nil)
	_ admin.Store        = (*mongo.Store)(nil)
)

// userstore says where the identities are: in a file, or in a database.
type userstore struct {
	path     string // of the embedded file; empty for MongoDB
	uri      secret
	database string
}

func (r *configReader) userstore(s storeSection) userstore {
	switch {
	case s.Bolt != nil && s.MongoDB != nil:
		r.problems = append(r.problems, s.Problemf("store has both bolt and mongodb: one of them is the home of the identities"))
	case s.Bolt != nil:
		return userstore{path: r.path(s.Bolt.Path)}
	case s.MongoDB != nil:
		return userstore{uri: r.secret(s.MongoDB.URI), database: s.MongoDB.Database.Value}
	default:
		r.problems = append(r.problems, s.Problemf("store has neither bolt nor mongodb: write bolt: {path: jithook.db} for one machine, or mongodb: {uri: env:MONGODB_URI, database: jithook}"))
	}
	return userstore{}
}

// open opens the store; failed is told of every operation that fails. A
// database that is down is no error: it is connected to when it is up.
func (u userstore) open(failed func(operation string)) (store.Store, error) {
	if u.path != "" {
		return bolt.Open(u.path, bolt.Options{Failed: failed})
	}
	uri, err := u.uri.read()
	if err != nil {
		return nil, err
	}
	s, err := mongo.Open(context.Background(), mongo.Options{URI: uri, Database: u.database, Failed: failed})
	if err != nil {
		return nil, fmt.Errorf("store.mongodb: %w", err)
	}
	return s, nil
}

// exists returns an error if there is no store to open yet.
func (u userstore) exists() error {
	if u.path == "" {
		return nil
	}
	if _, err := os.Stat(u.path); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no store at %s yet", u.path)
	}
	return nil
}
