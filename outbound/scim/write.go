package scim

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/jithook/jithook/outbound"
)

// kind is a kind of resource: its endpoint, and its name in errors.
type kind struct{ endpoint, name string }

var (
	users  = kind{"/Users", "user"}
	groups = kind{"/Groups", "group"}
)

// rewrites bounds how often a change begins again that another one overtook.
const rewrites = 3

// update changes an account as far as it differs. Of somebody who is barred
// nothing but that is sent: an attribute that cannot be computed must not keep
// the account open.
func (t *task) update(ctx context.Context, account resource) error {
	var w wanted
	var err error
	if !t.identity.Barred() {
		if w, err = t.wanted(ctx); err != nil {
			return err
		}
	}
	return t.rewrite(ctx, users, account, func(has resource) []change { return w.changes(has) })
}

// rewrite changes a resource by what differs says; where somebody else changed it
// in between it begins again.
func (t *task) rewrite(ctx context.Context, k kind, r resource, differs func(resource) []change) error {
	id := r.id()
	for range rewrites {
		changes := differs(r)
		if len(changes) == 0 {
			return nil
		}
		err := t.write(ctx, k, r, changes)
		if !isStale(err) {
			return err
		}
		if r, err = t.get(ctx, k, id); err != nil {
			return err
		}
		if r == nil {
			return errors.New("update " + k.name + ": it was deleted meanwhile")
		}
	}
	return errors.New("update " + k.name + ": others changed it each time")
}

// write sends changes in the form that the target wants.
func (t *task) write(ctx context.Context, k kind, r resource, changes []change) error {
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.path())
	}
	if t.dry(ctx, "update "+k.name, paths) {
		return nil
	}
	version := t.version(r)
	if t.patchForm() == PatchPut {
		whole := maps.Clone(r)
		for _, c := range changes {
			c.apply(whole)
		}
		for _, readOnly := range []string{"meta", "groups"} {
			whole.unset(readOnly)
		}
		return t.put(ctx, k, whole, version)
	}
	return t.patch(ctx, k, r.id(), version, operations(t.patchForm(), changes))
}

// version is what a change of r holds for: nothing else, where the target tells
// versions apart.
func (t *task) version(r resource) string {
	if t.features.etag {
		return r.version()
	}
	return ""
}

func (t *task) patchForm() string {
	switch {
	case t.Patch != PatchAuto:
		return t.Patch
	case t.features.patch:
		return PatchRFC
	}
	return PatchPut
}

// operation is one of a PATCH.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

// operations returns the PATCH of changes to attributes.
func operations(form string, changes []change) []operation {
	if form == PatchMicrosoft {
		return microsoft(changes)
	}
	var ops []operation
	for _, c := range changes {
		if c.plain == nil {
			ops = append(ops, operation{Op: "remove", Path: c.path()})
			continue
		}
		ops = append(ops, operation{Op: "replace", Path: c.path(), Value: c.plain})
	}
	return ops
}

// microsoft is one Replace of all that is set, without a path, and a Remove of
// each other.
func microsoft(changes []change) []operation {
	set := resource{}
	var ops []operation
	for _, c := range changes {
		if c.plain == nil {
			ops = append(ops, operation{Op: "Remove", Path: c.path()})
			continue
		}
		c.apply(set)
	}
	set.unset("schemas")
	if len(set) > 0 {
		ops = slices.Insert(ops, 0, operation{Op: "Replace", Value: set})
	}
	return ops
}

// member is the PATCH that grants or takes a membership.
func member(form, account string, grant bool) []operation {
	reference := []any{map[string]any{"value": account}}
	op := operation{Op: "add", Path: "members", Value: reference}
	switch {
	case !grant && form == PatchMicrosoft:
		op.Op = "remove"
	case !grant:
		return []operation{{Op: "remove", Path: `members[value eq ` + quote(account) + `]`}}
	}
	if form == PatchMicrosoft {
		op.Op = strings.ToUpper(op.Op[:1]) + op.Op[1:]
	}
	return []operation{op}
}

// dry reports whether nothing is to be written, and logs or notes what would be.
func (t *task) dry(ctx context.Context, what string, paths []string) bool {
	if t.found != nil {
		*t.found = append(*t.found, outbound.Difference{What: what, Attributes: append([]string{}, paths...)})
		return true
	}
	if t.DryRun {
		t.Log.InfoContext(ctx, "dry run: the target would be told", "identity_id", t.identity.ID, "what", what, "attributes", paths)
	}
	return t.DryRun
}

func (t *task) patch(ctx context.Context, k kind, id, version string, ops []operation) error {
	body := map[string]any{"schemas": []string{schemaPatch}, "Operations": ops}
	_, err := t.client.call(ctx, call{what: "update " + k.name, method: http.MethodPatch, path: k.path(id), body: body, version: version})
	return err
}

func (t *task) put(ctx context.Context, k kind, r resource, version string) error {
	_, err := t.client.call(ctx, call{what: "update " + k.name, method: http.MethodPut, path: k.path(r.id()), body: r, version: version})
	return err
}

// post makes a resource and returns it as the target has it; in a dry run, nil.
func (t *task) post(ctx context.Context, k kind, doc resource) (resource, error) {
	var paths []string
	for name := range doc {
		paths = append(paths, name)
	}
	slices.Sort(paths)
	if t.dry(ctx, "create "+k.name, paths) {
		return nil, nil
	}
	reply, err := t.client.call(ctx, call{what: "create " + k.name, method: http.MethodPost, path: k.endpoint, body: doc})
	if err != nil {
		return nil, err
	}
	r, err := reply.resource()
	switch {
	case err != nil:
		return nil, err
	case !usable(r.id()):
		return nil, errors.New("create " + k.name + ": the reply has no id")
	}
	return r, nil
}

// delete removes the identity's account. That DELETE finds none proves nothing: so
// answers a gateway that has no such route, too.
func (t *task) delete(ctx context.Context, account resource) error {
	if t.dry(ctx, "delete user", nil) {
		return nil
	}
	_, err := t.client.call(ctx, call{what: "delete user", method: http.MethodDelete, path: users.path(account.id()), version: t.version(account)})
	if !isStatus(err, http.StatusNotFound, http.StatusGone) {
		return err
	}
	// It has just been there: who cannot delete answers so, too.
	switch still, failed := t.find(ctx, account.id()); {
	case failed != nil:
		return failed
	case still != nil:
		return rejected(err.Error() + ", and has the account still: see to it there; if it does not delete, set `on_deprovision: deactivate`")
	}
	return nil
}
