//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/identity"
)

// populate fills a store with so many people, as first logins would have: those
// whose claims have the numbers from 0.
func populate(where storage, people int) error {
	person, _, err := template()
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	if where.Bolt != "" {
		return where.insert(person, people)
	}
	if err := where.insert(person, 1); err != nil {
		return err
	}
	return where.copy(person, people)
}

// numberedPerson is the person with a number, of whom the template knows the same.
func numberedPerson(i identity.Identity, n int64) identity.Identity {
	i, _ = another(i, identity.Record{}, subject(n))
	i.Traits["name"], i.Traits["email"] = name(n), email(n)
	return i
}

// writers is how many write at the same time: bbolt has all who wait share a commit.
const writers = 256

// insert writes people through the store.
func (s storage) insert(person identity.Identity, people int) error {
	opened, err := s.open()
	if err != nil {
		return err
	}
	defer opened.Close()
	todo := make(chan int64)
	go func() {
		defer close(todo)
		for n := range people {
			todo <- int64(n)
		}
	}()
	p := drain(min(writers, people), todo, func(n int64) Answer {
		if opened.Insert(context.Background(), numberedPerson(person, n), identity.Record{}) != nil {
			return Bad
		}
		return Good
	})
	if p.Bad > 0 {
		return fmt.Errorf("%d of %d people could not be written", p.Bad, people)
	}
	return nil
}

// batch is how many documents go to MongoDB at once, from so many loaders.
const (
	batch   = 1000
	loaders = 4
)

// copy adds the people from number 1 on, as the document that the store wrote of
// number 0 with other values: by the driver, since a round trip for each would
// take most of an hour.
func (s storage) copy(person identity.Identity, people int) error {
	ctx := context.Background()
	client, err := driver.Connect(options.Client().ApplyURI(s.URI))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(ctx) }() // what is lost is a connection of a test
	c := client.Database(s.Database).Collection("identities")
	var written bson.D
	if err := c.FindOne(ctx, bson.D{}, options.FindOne().SetProjection(bson.D{{Key: "journal", Value: 0}})).Decode(&written); err != nil {
		return err
	}
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	starts := make(chan int)
	for range loaders {
		all.Go(func() {
			for from := range starts {
				docs := make([]any, 0, batch)
				for n := from; n < min(from+batch, people); n++ {
					docs = append(docs, copyOf(written, person, int64(n)))
				}
				if _, err := c.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false)); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for from := 1; from < people; from += batch {
		starts <- from
	}
	close(starts)
	all.Wait()
	return failed
}

// copyOf is the document of another person.
func copyOf(written bson.D, person identity.Identity, n int64) bson.D {
	doc := slices.Clone(written)
	for i, field := range doc {
		switch field.Key {
		case "_id":
			doc[i].Value = uuid.Must(uuid.NewV7()).String()
		case "keys":
			doc[i].Value = bson.A{string(identity.FedKey(person.Links[0].Issuer, subject(n)))}
		case "traits":
			doc[i].Value = with(field.Value.(bson.D), map[string]any{"name": name(n), "email": email(n)})
		case "links":
			links := field.Value.(bson.A)
			doc[i].Value = bson.A{with(links[0].(bson.D), map[string]any{"subject": subject(n)})}
		}
	}
	return doc
}

// with is the document with other values of some fields.
func with(doc bson.D, values map[string]any) bson.D {
	doc = slices.Clone(doc)
	for i, field := range doc {
		if v, ok := values[field.Key]; ok {
			doc[i].Value = v
		}
	}
	return doc
}
