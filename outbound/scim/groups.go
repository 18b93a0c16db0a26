package scim

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jithook/jithook/outbound"
)

const (
	// groupTime is for how long it is believed which group has a name.
	groupTime = 5 * time.Minute
	// maxGroups bounds how many names are remembered.
	maxGroups = 10_000
)

// groupIDs remembers the ids of groups by their names.
type groupIDs struct {
	mu    sync.Mutex
	known map[string]groupID
	// making is taken by whoever makes or rewrites a group, so that the
	// deliveries of one process do not make one twice.
	making chan struct{}
}

func (g *groupIDs) enter(ctx context.Context) error {
	select {
	case g.making <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *groupIDs) leave() { <-g.making }

type groupID struct {
	id    string
	until time.Time
}

func (g *groupIDs) get(name string, now time.Time) (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k, ok := g.known[name]
	return k.id, ok && now.Before(k.until)
}

func (g *groupIDs) put(name, id string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil || len(g.known) >= maxGroups {
		g.known = map[string]groupID{}
	}
	g.known[name] = groupID{id, now.Add(groupTime)}
}

func (g *groupIDs) drop(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.known, name)
}

// group returns the id of the group with this very name, which it makes if it
// may; "" is none.
func (t *task) group(ctx context.Context, name string, create bool) (string, error) {
	if id, ok := t.ids.get(name, t.Now()); ok {
		return id, nil
	}
	if err := t.ids.enter(ctx); err != nil {
		return "", err
	}
	defer t.ids.leave()
	if id, ok := t.ids.get(name, t.Now()); ok {
		return id, nil // another delivery was faster
	}
	id, err := t.named(ctx, name)
	if err == nil && id == "" && create {
		id, err = t.makeGroup(ctx, name)
	}
	if err != nil || id == "" {
		return "", err
	}
	t.ids.put(name, id, t.Now())
	return id, nil
}

// named returns the id of the group with this name, as the target has it now.
// Where that cannot be told it is this delivery alone that fails: others may go to
// no group.
func (t *task) named(ctx context.Context, name string) (string, error) {
	if !t.features.filter || t.Lookup == LookupNone {
		return "", rejected("find group: the target cannot filter, so none of its groups can be found; set `groups: none`")
	}
	found, err := t.filter(ctx, groups, "displayName", name)
	if isRefusal(err) {
		return "", &outbound.RejectedError{Err: err}
	}
	if err != nil {
		return "", err
	}
	// A filter may ignore case: another name is another group. Or be ignored: then
	// the group may be among those that are not shown.
	exact := slices.DeleteFunc(slices.Clone(found), func(r resource) bool { return r.text("displayName") != name })
	switch {
	case len(exact) > 1:
		return "", rejected("the target has several groups with one name: nobody can tell which is meant")
	case len(exact) == 1:
		return exact[0].id(), nil
	case len(found) > 1 || len(found) == 1 && !strings.EqualFold(found[0].text("displayName"), name):
		return "", rejected("find group: the target answers the filter on displayName with groups that do not have it; set `groups: none`")
	}
	return "", nil
}

// makeGroup makes a group. SCIM keeps no two of one name apart, and what somebody
// else has put into the wrong one cannot be moved without losing it: so of all
// processes only one may make it.
func (t *task) makeGroup(ctx context.Context, name string) (string, error) {
	if t.dry(ctx, "create group", nil) {
		return "", nil
	}
	if first, err := t.First(ctx, "group "+name); err != nil || !first {
		return "", errors.Join(errors.New("create group: another process may be making it"), err)
	}
	made, err := t.post(ctx, groups, resource{"schemas": []any{schemaGroup}, "displayName": name})
	if isTaken(err) {
		id, again := t.named(ctx, name)
		if again == nil && id == "" {
			again = rejected("the target has another group that takes this name's place")
		}
		return id, again
	}
	if err != nil {
		return "", err
	}
	return made.id(), nil
}
