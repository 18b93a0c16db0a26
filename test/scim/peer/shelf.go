package main

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/scim2/filter-parser/v2"
)

// shelf keeps the resources of one type.
type shelf struct {
	prefix, unique string

	mu   sync.Mutex
	next int
	docs map[string]scim.ResourceAttributes
}

func newShelf(prefix, unique string) *shelf {
	return &shelf{prefix: prefix, unique: unique, docs: map[string]scim.ResourceAttributes{}}
}

func (s *shelf) resource(id string) scim.Resource {
	doc := maps.Clone(s.docs[id])
	r := scim.Resource{ID: id, Attributes: doc}
	if external, ok := doc["externalId"].(string); ok {
		r.ExternalID = optional.NewString(external)
	}
	return r
}

func (s *shelf) taken(doc scim.ResourceAttributes, by string) bool {
	name, _ := doc[s.unique].(string)
	for id, other := range s.docs {
		if has, _ := other[s.unique].(string); s.unique != "" && id != by && strings.EqualFold(has, name) {
			return true
		}
	}
	return false
}

func (s *shelf) Create(_ *http.Request, doc scim.ResourceAttributes) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken(doc, "") {
		return scim.Resource{}, errors.ScimErrorUniqueness
	}
	s.next++
	id := s.prefix + strconv.Itoa(s.next)
	s.docs[id] = doc
	return s.resource(id), nil
}

func (s *shelf) Get(_ *http.Request, id string) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.docs[id] == nil {
		return scim.Resource{}, errors.ScimErrorResourceNotFound(id)
	}
	return s.resource(id), nil
}

func (s *shelf) GetAll(_ *http.Request, p scim.ListRequestParams) (scim.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := scim.Page{Resources: []scim.Resource{}}
	for _, id := range slices.Sorted(maps.Keys(s.docs)) {
		r := s.resource(id)
		if p.FilterValidator != nil && p.FilterValidator.PassesFilter(r.Attributes) != nil {
			continue
		}
		page.TotalResults++
		if len(page.Resources) < p.Count {
			page.Resources = append(page.Resources, r)
		}
	}
	return page, nil
}

func (s *shelf) Replace(_ *http.Request, id string, doc scim.ResourceAttributes) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.docs[id] == nil:
		return scim.Resource{}, errors.ScimErrorResourceNotFound(id)
	case s.taken(doc, id):
		return scim.Resource{}, errors.ScimErrorUniqueness
	}
	s.docs[id] = doc
	return s.resource(id), nil
}

func (s *shelf) Delete(_ *http.Request, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.docs[id] == nil {
		return errors.ScimErrorResourceNotFound(id)
	}
	delete(s.docs, id)
	return nil
}

func (s *shelf) Patch(_ *http.Request, id string, ops []scim.PatchOperation) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.docs[id] == nil {
		return scim.Resource{}, errors.ScimErrorResourceNotFound(id)
	}
	doc := clone(map[string]any(s.docs[id])).(map[string]any)
	for _, op := range ops {
		if err := apply(doc, op); err != nil {
			return scim.Resource{}, err
		}
	}
	if s.taken(doc, id) {
		return scim.Resource{}, errors.ScimErrorUniqueness
	}
	s.docs[id] = doc
	return s.resource(id), nil
}

func apply(doc map[string]any, op scim.PatchOperation) error {
	if op.Path == nil {
		values, ok := plain(op.Value).(map[string]any)
		if !ok {
			return errors.ScimErrorInvalidValue
		}
		merge(doc, values)
		return nil
	}
	at, name := doc, op.Path.AttributePath.AttributeName
	if prefix := op.Path.AttributePath.URIPrefix; prefix != nil && strings.Contains(*prefix, "extension") {
		at = inner(at, strings.TrimSuffix(*prefix, ":"))
	}
	if sub := op.Path.AttributePath.SubAttribute; sub != nil {
		at, name = inner(at, name), *sub
	}
	has, _ := at[name].([]any)
	switch value := plain(op.Value); {
	case op.Path.ValueExpression != nil && op.Op == scim.PatchOperationRemove:
		e, ok := op.Path.ValueExpression.(*filter.AttributeExpression)
		if !ok || e.Operator != filter.EQ {
			return errors.ScimErrorInvalidPath
		}
		at[name] = slices.DeleteFunc(has, func(item any) bool {
			m, _ := item.(map[string]any)
			return m[e.AttributePath.AttributeName] == e.CompareValue
		})
	case op.Path.ValueExpression != nil:
		return errors.ScimErrorInvalidPath
	case op.Op == scim.PatchOperationRemove:
		delete(at, name)
	case op.Op == scim.PatchOperationAdd && has != nil:
		more, ok := value.([]any)
		if !ok {
			more = []any{value}
		}
		for _, item := range more {
			if !slices.ContainsFunc(has, func(h any) bool { return reflect.DeepEqual(h, item) }) {
				has = append(has, item)
			}
		}
		at[name] = has
	default:
		at[name] = value
	}
	return nil
}

func inner(doc map[string]any, name string) map[string]any {
	m, ok := plain(doc[name]).(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	doc[name] = m
	return m
}

func merge(doc, values map[string]any) {
	for k, v := range values {
		if m, ok := plain(v).(map[string]any); ok {
			merge(inner(doc, k), m)
			continue
		}
		doc[k] = v
	}
}

// plain undoes the library's own type of maps.
func plain(v any) any {
	if m, ok := v.(scim.ResourceAttributes); ok {
		return map[string]any(m)
	}
	return v
}

func clone(v any) any {
	switch v := plain(v).(type) {
	case map[string]any:
		m := map[string]any{}
		for k, item := range v {
			m[k] = clone(item)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for n, item := range v {
			list[n] = clone(item)
		}
		return list
	default:
		return v
	}
}
