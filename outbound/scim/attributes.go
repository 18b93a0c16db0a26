package scim

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/expr"
)

// Schemas of what is sent (RFC 7643, section 10.3; RFC 7644, section 3.5.2).
const (
	schemaUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	schemaEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	schemaGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	schemaPatch      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// UserName is the attribute that every account has.
const UserName = "userName"

// Attribute is one attribute of an account, or a sub-attribute: name.givenName.
type Attribute struct {
	Name string
	// Enterprise says that it is one of the enterprise extension.
	Enterprise bool
	// Value yields it; null, or a part of the identity that is not there, is no
	// value.
	Value *expr.Program
}

// reserved are attributes that the connector decides itself, that only the
// target writes, or that must never be sent.
var reserved = []string{"id", "externalid", "active", "groups", "meta", "schemas", "password", "members"}

var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_$-]{0,63}(\.[A-Za-z$][A-Za-z0-9_$-]{0,63})?$`)

// CheckAttribute returns what is wrong with the name of an attribute.
func CheckAttribute(name string) error {
	first, _, _ := strings.Cut(name, ".")
	switch {
	case slices.Contains(reserved, strings.ToLower(first)):
		return fmt.Errorf("%q is not for expressions: it is set by jithook or the target, or is never sent", name)
	case !attributeName.MatchString(name):
		return fmt.Errorf("%q is no attribute: a name such as title, or with a part such as name.givenName", name)
	}
	return nil
}

// wanted is what an account has to have.
type wanted struct {
	externalID string
	active     bool
	values     []value
}

// value is what one attribute has to be; a nil plain is none.
type value struct {
	attribute Attribute
	plain     any
}

// wanted evaluates the attributes.
func (t *task) wanted(ctx context.Context) (wanted, error) {
	w := wanted{externalID: t.identity.ID, active: true}
	for _, a := range t.Attributes {
		plain, err := t.eval(ctx, a)
		if err != nil {
			return wanted{}, err
		}
		w.values = append(w.values, value{a, plain})
	}
	if w.userName() == "" {
		return wanted{}, rejected("the identity has no userName for this target: the expression yields none")
	}
	return w, nil
}

func (t *task) eval(ctx context.Context, a Attribute) (any, error) {
	plain, err := a.Value.Eval(ctx, vars(&t.identity))
	if _, unset := errors.AsType[*expr.UnsetError](err); unset {
		return nil, nil
	}
	if err != nil && ctx.Err() == nil {
		return nil, rejected(err.Error()) // it names the line and no value
	}
	return plain, err
}

// userName returns the name that the identity's account has to have.
func (t *task) userName(ctx context.Context) (string, error) {
	for _, a := range t.Attributes {
		if a.Name != UserName || a.Enterprise {
			continue
		}
		plain, err := t.eval(ctx, a)
		if name, _ := plain.(string); err != nil || name != "" {
			return name, err
		}
	}
	return "", rejected("the identity has no userName for this target: the expression yields none")
}

func (w wanted) userName() string {
	for _, v := range w.values {
		if v.attribute.Name == UserName && !v.attribute.Enterprise {
			name, _ := v.plain.(string)
			return name
		}
	}
	return ""
}

// document is a new account.
func (w wanted) document() resource {
	doc := resource{"schemas": []any{schemaUser}, "externalId": w.externalID, "active": w.active}
	for _, c := range w.changes(resource{}) {
		c.apply(doc)
	}
	return doc
}

// change is one attribute that differs.
type change struct {
	Attribute
	plain any // nil removes it
}

// path names the attribute (RFC 7644, section 3.10).
func (c change) path() string {
	if c.Enterprise {
		return schemaEnterprise + ":" + c.Name
	}
	return c.Name
}

// changes returns what has to change of an account.
func (w wanted) changes(account resource) []change {
	var out []change
	if len(account) > 0 {
		if account.text("externalId") != w.externalID && w.externalID != "" {
			out = append(out, change{Attribute{Name: "externalId"}, w.externalID})
		}
		if !same(w.active, account.value("active")) {
			out = append(out, change{Attribute{Name: "active"}, w.active})
		}
	}
	for _, v := range w.values {
		if has := account.at(v.attribute); !same(v.plain, has) && (v.plain != nil || !empty(has)) {
			out = append(out, change{v.attribute, v.plain})
		}
	}
	return out
}

// apply makes the change in a document that is sent whole.
func (c change) apply(doc resource) {
	in := doc
	if c.Enterprise {
		in = doc.inner(schemaEnterprise)
		if schemas, _ := doc.value("schemas").([]any); !slices.Contains(schemas, any(schemaEnterprise)) {
			doc.set("schemas", append(slices.Clone(schemas), schemaEnterprise))
		}
	}
	name, sub, nested := strings.Cut(c.Name, ".")
	if nested {
		in, name = in.inner(name), sub
	}
	if c.plain == nil {
		in.unset(name)
		return
	}
	in.set(name, c.plain)
}
