package identity

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Trait returns the value at a path (JSON Pointer into the traits), and whether
// there is one.
func (i *Identity) Trait(path string) (any, bool) {
	var v any = i.Traits
	for token := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = object[unescape(token)]; !ok {
			return nil, false
		}
	}
	return v, true
}

// SetTrait writes a value at by.Path, and who wrote it. What stands in the way
// there, a value that is no object, goes. What was known of a value that holds
// this one, or was held by the one before, counts no more: nobody has verified
// what it is now.
func (i *Identity) SetTrait(v any, by Provenance) {
	names := tokens(by.Path)
	for n := 1; n < len(names); n++ {
		above := Pointer(names[:n]...)
		if old, _ := i.Trait(above); !isObject(old) {
			i.forget(above)
		}
	}
	i.outdate(by.Path)
	i.Traits = put(i.Traits, names, v)
	at := slices.IndexFunc(i.Provenance, func(p Provenance) bool { return p.Path == by.Path })
	if at < 0 {
		i.Provenance = append(i.Provenance, by)
		return
	}
	i.Provenance[at] = by
}

// RemoveTrait removes the value at a path, the objects that it leaves empty, and
// what was known of them. It reports whether there was one.
func (i *Identity) RemoveTrait(path string) bool {
	if _, has := i.Trait(path); !has {
		return false
	}
	i.outdate(path)
	names := tokens(path)
	i.Traits = drop(i.Traits, names)
	for n := 1; n <= len(names); n++ {
		if gone := Pointer(names[:n]...); !i.has(gone) {
			i.forget(gone)
			break
		}
	}
	return true
}

// Writers returns who wrote the value at a path: the entries for it, for what
// holds it, and for what it holds.
func (i *Identity) Writers(path string) []Provenance {
	var writers []Provenance
	for _, p := range i.Provenance {
		if Overlap(p.Path, path) {
			writers = append(writers, p)
		}
	}
	return writers
}

// Overlap reports whether two paths are the same, or one holds the other.
func Overlap(a, b string) bool { return a == b || Below(a, b) || Below(b, a) }

// Below reports whether a path leads into what is at another one.
func Below(path, above string) bool { return strings.HasPrefix(path, above+"/") }

// Pointer returns the JSON Pointer (RFC 6901) of these names.
func Pointer(names ...string) string {
	path := ""
	for _, name := range names {
		path += "/" + escaper.Replace(name)
	}
	return path
}

var (
	escaper   = strings.NewReplacer("~", "~0", "/", "~1")
	unescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// tokens returns the names in a JSON Pointer.
func tokens(path string) []string {
	names := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for n, name := range names {
		names[n] = unescape(name)
	}
	return names
}

func unescape(token string) string {
	if !strings.Contains(token, "~") {
		return token
	}
	return unescaper.Replace(token)
}

func (i *Identity) has(path string) bool {
	_, has := i.Trait(path)
	return has
}

// forget removes what is known of a path and of all below it.
func (i *Identity) forget(path string) {
	i.Provenance = slices.DeleteFunc(i.Provenance, func(p Provenance) bool { return p.Path == path || Below(p.Path, path) })
}

// outdate prepares for another value at path: those that it held are gone, and
// those that hold it are not any more what somebody verified.
func (i *Identity) outdate(path string) {
	i.Provenance = slices.DeleteFunc(i.Provenance, func(p Provenance) bool { return Below(p.Path, path) })
	for n, p := range i.Provenance {
		if Below(path, p.Path) {
			i.Provenance[n].VerifiedBy, i.Provenance[n].VerifiedAt = "", time.Time{}
		}
	}
}

func isObject(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// put returns a copy of an object with a value in it. Nothing is changed in
// place: clones of an identity share values.
func put(object map[string]any, names []string, v any) map[string]any {
	object = maps.Clone(object)
	if object == nil {
		object = map[string]any{}
	}
	if len(names) > 1 {
		inner, _ := object[names[0]].(map[string]any)
		v = put(inner, names[1:], v)
	}
	object[names[0]] = v
	return object
}

// drop returns a copy of an object without the value at names, and without the
// objects that it leaves empty.
func drop(object map[string]any, names []string) map[string]any {
	object = maps.Clone(object)
	if len(names) > 1 {
		if inner := drop(object[names[0]].(map[string]any), names[1:]); len(inner) > 0 {
			object[names[0]] = inner
			return object
		}
	}
	delete(object, names[0])
	return object
}
