package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/store/mongo"
)

var (
	_ store.Store        = (*bolt.Store)(nil)
	_ store.Store        = (*mongo.Store)(nil)
	_ provision.Store    = (*directory.Directory)(nil)
	_ provision.Journal  = (*directory.Directory)(nil)
	_ provision.Editable = (*directory.Directory)(nil)
	_ admin.Store        = (*directory.Directory)(nil)
)

// userstore says where identities are: in a file, or in a database.
type userstore struct {
	path     string // of the embedded file; empty for MongoDB
	uri      secret
	database string
}

// userstores reads where the identities are: at home, and those of some
// userstores in stores of their own.
func (r *configReader) userstores(f configFile, c *config) {
	switch s := f.Store; {
	case s.Bolt != nil && s.MongoDB != nil:
		r.problems = append(r.problems, s.Problemf("store has both bolt and mongodb: one of them is the home of the identities"))
	case s.Bolt == nil && s.MongoDB == nil:
		r.problems = append(r.problems, s.Problemf("store has neither bolt nor mongodb: write bolt: {path: jithook.db} for one machine, or mongodb: {uri: env:MONGODB_URI, database: jithook}"))
	default:
		c.store = r.userstore(s.Bolt, s.MongoDB)
	}
	c.userstores, c.own = []string{provider.DefaultUserstore}, map[string]userstore{}
	places := map[userstore]string{c.store.place(): "the home store"}
	for _, u := range f.Userstores {
		name := u.Key.Value
		if !slices.Contains(c.userstores, name) {
			c.userstores = append(c.userstores, name)
		}
		switch bolt, mongodb := u.Value.Bolt, u.Value.MongoDB; {
		case bolt == nil && mongodb == nil:
			continue
		case bolt != nil && mongodb != nil:
			r.wrong(u.Key, "the userstore %q has both bolt and mongodb: one of them is its own store, none the home store", name)
			continue
		default:
			c.own[name] = r.userstore(bolt, mongodb)
		}
		if other, taken := places[c.own[name].place()]; taken && c.own[name] != (userstore{}) {
			r.wrong(u.Key, "the userstore %q is in the place of %s: a store is one userstore's own, or the home of all that name none", name, other)
		}
		places[c.own[name].place()] = "the userstore " + strconv.Quote(name)
	}
}

func (r *configReader) userstore(bolt *boltSection, mongodb *mongoSection) userstore {
	if bolt != nil {
		return userstore{path: r.path(bolt.Path)}
	}
	return userstore{uri: r.secret(mongodb.URI), database: mongodb.Database.Value}
}

// place is the userstore without where it is written: two that are equal are
// one. Whether two URIs lead to one server, nobody can tell from here.
func (u userstore) place() userstore {
	u.uri.at = strictyaml.Text{}
	return u
}

// openAll opens the home store and all others; failed is told of every
// operation that fails.
func (c config) openAll(failed func(operation string)) (*directory.Directory, error) {
	home, err := c.store.open("store", failed)
	if err != nil {
		return nil, err
	}
	opened, own := []store.Store{home}, map[string]store.Store{}
	for _, name := range slices.Sorted(maps.Keys(c.own)) {
		s, err := c.own[name].open("userstores."+name, failed)
		if err != nil {
			for _, s := range opened {
				err = errors.Join(err, s.Close())
			}
			return nil, err
		}
		opened, own[name] = append(opened, s), s
	}
	return directory.New(home, own), nil
}

// open opens the store of that section of the configuration; failed is told of
// every operation that fails. A database that is down is no error: it is
// connected to when it is up.
func (u userstore) open(section string, failed func(operation string)) (store.Store, error) {
	if u.path != "" {
		return bolt.Open(u.path, bolt.Options{Failed: failed})
	}
	uri, err := u.uri.read()
	if err != nil {
		return nil, err
	}
	s, err := mongo.Open(context.Background(), mongo.Options{URI: uri, Database: u.database, Failed: failed})
	if err != nil {
		return nil, fmt.Errorf("%s.mongodb: %w", section, err)
	}
	return s, nil
}

// exists returns an error if there is a store that cannot be opened yet.
func (c config) exists() error {
	for _, u := range append(slices.Collect(maps.Values(c.own)), c.store) {
		if u.path == "" {
			continue
		}
		if _, err := os.Stat(u.path); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no store at %s yet", u.path)
		}
	}
	return nil
}
