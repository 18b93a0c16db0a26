// Package doctor finds what is wrong between a Kratos and jithook: in Kratos's
// configuration, in what its hooks are answered, and in what was decided lately.
//
// It owns which faults there are and how each is recognised. It must not know
// where the configuration comes from, nor change anything: package setup does.
package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/kratos/setup"
)

// Finding is one thing that is wrong. It shows no secret.
type Finding struct {
	Code Code
	// Path is where, in Kratos's configuration; empty if it is not there.
	Path []string
	// Text says what was found.
	Text string
}

// Jithook is what jithook's own configuration says.
type Jithook struct {
	// Document is what Kratos has to be told.
	Document kratos.Document
	HookURL  string
	// Header is where the key comes in, and Keys are all values that are taken.
	Header string
	Keys   []string
	// Providers are those that Kratos's key may speak for.
	Providers []Provider
	// Restored is kratos.restore_traits, nil for all.
	Restored []string
	// Admin says that jithook has this Kratos's Admin API.
	Admin bool
	// Schema is the identity schema where it was handed in, in place of the one
	// that the configuration names.
	Schema []byte
}

// Provider is what there is to know of a provider's file.
type Provider struct {
	ID      string
	Issuers []string
	// Traits are those that the file decides, and Lookup those by which it finds
	// accounts; both by the name that Kratos's schema has at its top.
	Traits, Lookup []string
}

// Distinct leaves out what was found before: what the configuration shows, the
// probe and the decisions show, too, where they have no place or a wider one. Two
// without a place are the same if they say the same.
func Distinct(found []Finding) []Finding {
	var distinct []Finding
	for _, f := range found {
		if !slices.ContainsFunc(distinct, f.isShownBy) {
			distinct = append(distinct, f)
		}
	}
	return distinct
}

func (f Finding) isShownBy(o Finding) bool {
	switch {
	case o.Code != f.Code:
		return false
	case len(o.Path) == 0:
		return len(f.Path) == 0 && o.Text == f.Text
	}
	return len(f.Path) <= len(o.Path) && slices.Equal(f.Path, o.Path[:len(f.Path)])
}

// Examine returns what is wrong in a configuration of Kratos.
func Examine(config map[string]any, j Jithook, fetch setup.Fetch) []Finding {
	e := examination{config: config, jithook: j, ours: setup.Ours{HookURL: j.HookURL, Fetch: fetch}}
	e.lists()
	e.providers()
	e.schema()
	return e.found
}

type examination struct {
	config  map[string]any
	jithook Jithook
	ours    setup.Ours
	found   []Finding
}

func (e *examination) find(code Code, path []string, format string, args ...any) {
	e.found = append(e.found, Finding{code, path, fmt.Sprintf(format, args...)})
}

// on reports whether a switch below selfservice is on.
func (e *examination) on(standard bool, path ...string) bool {
	on, ok := setup.At(e.config, append([]string{"selfservice"}, path...)...).(bool)
	return on && ok || !ok && standard
}

// runs reports whether Kratos ever runs a list: its flow and method are on. (The
// standard is Kratos v1.3.1's.)
func (e *examination) runs(l kratos.List) bool {
	flow, method := l.Path[2], l.Path[4]
	switch {
	case flow == "login" && method == "hooks": // it is wanted for a method that is on
		return true
	case flow == "recovery":
		return e.on(false, "flows", "recovery", "enabled") && (e.on(true, "methods", "code", "enabled") || e.on(false, "methods", "link", "enabled"))
	case method == "code":
		return e.on(false, "methods", "code", "passwordless_enabled") || e.on(false, "methods", "code", "mfa_enabled") ||
			e.on(false, "methods", "code", "passwordless_login_fallback_enabled") // Ory Network's
	case method == "password", method == "profile":
		return e.on(true, "methods", method, "enabled")
	}
	return e.on(false, "methods", method, "enabled")
}

// lists looks at every list of hooks.
func (e *examination) lists() {
	wanted := setup.Wanted(e.config, e.jithook.Document)
	misplaced := map[string]bool{} // flow and endpoint
	for _, l := range setup.Lists(e.config) {
		i := slices.IndexFunc(wanted, func(w kratos.List) bool { return slices.Equal(w.Path, l.Path) })
		for n, h := range l.Hooks {
			endpoint := e.ours.Endpoint(h)
			known := i >= 0 && slices.ContainsFunc(wanted[i].Hooks, func(w kratos.Hook) bool { return w.Endpoint() == endpoint })
			veto := endpoint == "login" && l.Path[2] == "login" && l.Path[3] == "after" // one more does no harm
			if endpoint == "" || known || veto {
				continue
			}
			misplaced[l.Path[2]+" "+endpoint] = true
			e.find(CodeHookMisplaced, at(l.Path, n), "%s does not belong into this list", endpoint)
		}
	}
	for _, l := range wanted {
		if e.runs(l) {
			e.list(l, misplaced)
		}
	}
	e.overridden(wanted, "login", kratos.LoginMethods())
	e.overridden(wanted, "registration", []string{"code", "oidc", "passkey", "password", "webauthn"}) // Kratos v1.3.1's
}

// list looks at what Kratos runs where a list is wanted: the list of the method
// or, at a login, the flow's global one if there is none. (At registration and
// settings, Kratos runs no global hook whose reply it obeys.)
func (e *examination) list(want kratos.List, misplaced map[string]bool) {
	path := want.Path
	hooks, _ := setup.At(e.config, path...).([]any)
	if len(hooks) == 0 && path[2] == "login" {
		path = below(path[:4], "hooks")
		hooks, _ = setup.At(e.config, path...).([]any)
	}
	for _, w := range want.Hooks {
		n := slices.IndexFunc(hooks, func(h any) bool {
			if w.Config == nil {
				return setup.At(h, "hook") == w.Hook
			}
			return e.ours.Endpoint(h) == w.Endpoint()
		})
		switch {
		case n >= 0 && w.Config != nil:
			e.hook(at(path, n), hooks[n], w)
		case n >= 0 || misplaced[path[2]+" "+w.Endpoint()]:
		case w.Config == nil:
			e.find(CodeSessionMissing, want.Path, "without the hook session nobody is signed in after they signed up")
		case w.Endpoint() == "login" && want.Path[2] == "login" && want.Path[4] == "hooks":
			e.find(CodeVetoMissing, want.Path, "whoever is suspended comes in by a method that is on and has no list of its own")
		case w.Endpoint() == "login":
			e.find(CodeVetoMissing, want.Path, "whoever is suspended comes in here")
		default:
			e.find(CodeHookMissing, want.Path, "%s is not there", w.Endpoint())
		}
	}
}

// hook compares one hook with what it should be.
func (e *examination) hook(path []string, have any, want kratos.Hook) {
	config := func(names ...string) any { return setup.At(have, append([]string{"config"}, names...)...) }
	if url, _ := config("url").(string); url != want.Config.URL {
		e.find(CodeHookURL, below(path, "config", "url"), "kratos.hook_url makes it %s", want.Config.URL)
	}
	parse, ignore := config("response", "parse") == true, config("response", "ignore") == true
	switch {
	case ignore:
		e.find(CodeHookReply, below(path, "config", "response"), "Kratos does not even wait for the answer of %s", want.Endpoint())
	case parse && !want.Config.Response.Parse:
		e.find(CodeHookReply, below(path, "config", "response"), "%s has to run after Kratos has stored the identity: without parse", want.Endpoint())
	case config("can_interrupt") == true && !want.Config.Response.Parse: // as parse, but that a 200 is not read
		e.find(CodeHookReply, below(path, "config", "can_interrupt"), "%s has to run after Kratos has stored the identity: without can_interrupt", want.Endpoint())
	case !parse && want.Config.Response.Parse:
		e.find(CodeHookReply, below(path, "config", "response"), "Kratos does not obey the answer of %s: response.parse is not true", want.Endpoint())
	}
	if config("method") != want.Config.Method || !e.ours.SameContent(config("body"), want.Config.Body) {
		e.find(CodeHookOutdated, below(path, "config", "body"), "%s is sent otherwise than by POST with this version's body", want.Endpoint())
	}
	e.key(below(path, "config", "auth"), config("auth"))
}

// key looks at how a hook proves itself. It says what differs, never by what.
func (e *examination) key(path []string, auth any) {
	name, _ := setup.At(auth, "config", "name").(string)
	value, _ := setup.At(auth, "config", "value").(string)
	switch {
	case setup.At(auth, "type") != "api_key" || setup.At(auth, "config", "in") != "header":
		e.find(CodeKeyDiffers, path, "no key is sent in a header")
	case !strings.EqualFold(name, e.jithook.Header):
		e.find(CodeKeyDiffers, below(path, "config", "name"), "the key is sent in another header than %s", e.jithook.Header)
	case !slices.Contains(e.jithook.Keys, value):
		e.find(CodeKeyDiffers, below(path, "config", "value"), "the key is not one that jithook's configuration has")
	}
}

func at(path []string, i int) []string { return below(path, fmt.Sprint(i)) }

// below is a place of its own: findings keep theirs.
func below(path []string, names ...string) []string { return slices.Concat(path, names) }
