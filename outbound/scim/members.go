package scim

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/jithook/jithook/identity"
)

// memberships grants those that the identity has and takes those that it was
// granted on our word and has no more. What the target's own people grant stays.
func (t *task) memberships(ctx context.Context, account resource, has *identity.Resource) error {
	want := t.identity.GroupNames()
	held := map[string]bool{} // by the target's id
	for _, id := range account.references("groups") {
		held[id] = true
	}
	for _, name := range has.Groups { // first: what cannot be granted keeps nothing open
		if _, wanted := slices.BinarySearch(want, name); wanted {
			continue
		}
		if err := t.take(ctx, account.id(), name); err != nil {
			return err
		}
	}
	granted, ids := []string(nil), map[string]string{}
	for _, name := range want {
		ok, err := t.grant(ctx, account.id(), name, held)
		if err != nil {
			return err
		}
		if ok {
			granted = append(granted, name)
			ids[name] = t.note.Groups[name]
		}
	}
	if !t.DryRun {
		has.Groups, t.note.Groups = granted, ids
	}
	return nil
}

// grant makes the account a member of the group, and reports whether it is one
// now: not where the target lacks the group and it is not to be made.
func (t *task) grant(ctx context.Context, account, name string, held map[string]bool) (bool, error) {
	for range 2 {
		id, err := t.group(ctx, name, t.Groups == GroupsCreate)
		if err != nil {
			return false, err
		}
		// The group that had this name has another by now: what its members may do
		// is not what was granted.
		if old := t.note.Groups[name]; old != "" && old != id {
			if err := t.leave(ctx, account, old); err != nil {
				return false, err
			}
		}
		if id == "" {
			return false, nil
		}
		t.note.Groups[name] = id
		if held[id] {
			return true, nil
		}
		err = t.setMember(ctx, id, account, true)
		if !isStatus(err, http.StatusNotFound) {
			return err == nil, err
		}
		t.ids.drop(name) // it was deleted since it was found
	}
	return false, errors.New("update group: it was deleted meanwhile")
}

// take ends the membership of the group that was granted by this name, whatever
// it is called by now; of which one nobody has noted, of the one that is so called.
func (t *task) take(ctx context.Context, account, name string) error {
	if id := t.note.Groups[name]; id != "" {
		return t.leave(ctx, account, id)
	}
	id, err := t.group(ctx, name, false)
	if err != nil || id == "" {
		return err
	}
	return t.leave(ctx, account, id)
}

// leave ends a membership. What is gone already is no failure.
func (t *task) leave(ctx context.Context, account, group string) error {
	err := t.setMember(ctx, group, account, false)
	if isStatus(err, http.StatusNotFound) || isNoTarget(err) {
		return nil
	}
	return err
}

// setMember grants or takes a membership.
func (t *task) setMember(ctx context.Context, group, account string, grant bool) error {
	if t.found != nil { // a target need not show in a user which groups it is in
		switch r, err := t.get(ctx, groups, group); {
		case err != nil:
			return err
		case r == nil:
			return &statusError{what: "update group", status: http.StatusNotFound}
		case slices.Contains(r.references("members"), account) == grant:
			return nil
		}
	}
	if t.dry(ctx, "update group", []string{"members"}) {
		return nil
	}
	if form := t.patchForm(); form != PatchPut {
		err := t.patch(ctx, groups, group, "", member(form, account, grant))
		for n := 0; isStale(err) && n < rewrites; n++ { // the target wants to know which version
			r, again := t.get(ctx, groups, group)
			if again != nil {
				return again
			}
			err = t.patch(ctx, groups, group, r.version(), member(form, account, grant))
		}
		return err
	}
	if err := t.ids.enter(ctx); err != nil {
		return err
	}
	defer t.ids.leave()
	r, err := t.get(ctx, groups, group)
	switch {
	case err != nil:
		return err
	case r == nil:
		return &statusError{what: "update group", status: http.StatusNotFound}
	}
	return t.rewrite(ctx, groups, r, func(has resource) []change {
		members, _ := has.value("members").([]any)
		is := slices.Contains(has.references("members"), account)
		switch {
		case is == grant:
			return nil
		case grant:
			members = append(slices.Clone(members), map[string]any{"value": account})
		default:
			members = slices.DeleteFunc(slices.Clone(members), func(m any) bool {
				ref, _ := m.(map[string]any)
				return resource(ref).text("value") == account
			})
		}
		return []change{{Attribute{Name: "members"}, members}}
	})
}
