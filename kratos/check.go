package kratos

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

// check returns everything that is wrong with the configuration but the URL.
func (cfg Config) check() error {
	problems := []error{cfg.APIKey.check(), checkMethods(cfg.LoginMethods)}
	if len(cfg.Providers) == 0 {
		problems = append(problems, errors.New("there is no provider: Kratos would be told to ask about nobody"))
	}
	seen := map[string]bool{}
	for _, p := range cfg.Providers {
		if seen[p.ID] {
			problems = append(problems, fmt.Errorf("provider %q is there twice", p.ID))
		}
		seen[p.ID] = true
		for _, problem := range p.check() {
			problems = append(problems, fmt.Errorf("provider %q: %w", p.ID, problem))
		}
	}
	return errors.Join(problems...)
}

func parseHookURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") {
		return nil, errors.New("the hook URL must be absolute, http or https, without credentials, query and fragment: http://127.0.0.1:4480")
	}
	return u, nil
}

// check refuses what Kratos would only fail on at somebody's sign-in: it puts
// the key into a header as it is.
func (k APIKey) check() error {
	var problems []error
	if !httpguts.ValidHeaderFieldName(k.Header) {
		problems = append(problems, errors.New("the API key's header is not the name of an HTTP header"))
	}
	if k.Value == "" || !httpguts.ValidHeaderFieldValue(k.Value) || strings.TrimSpace(k.Value) != k.Value {
		problems = append(problems, errors.New("the API key must not be empty, padded or hold control characters"))
	}
	return errors.Join(problems...)
}

func checkMethods(methods []string) error {
	var problems []error
	known := LoginMethods()
	for i, m := range methods {
		switch {
		case !slices.Contains(known, m):
			problems = append(problems, fmt.Errorf("login method %q: Kratos has %s", m, strings.Join(known, ", ")))
		case slices.Contains(methods[:i], m):
			problems = append(problems, fmt.Errorf("login method %q is there twice", m))
		}
	}
	return errors.Join(problems...)
}

// check refuses what JSON or Kratos could not carry unchanged.
func (p Provider) check() []error {
	var problems []error
	switch {
	case p.ID == "":
		problems = append(problems, errors.New("an id is needed"))
	case !utf8.ValidString(p.ID):
		problems = append(problems, errors.New("the id is not valid UTF-8"))
	case strings.Contains(p.ID, ":"):
		// Kratos's credential identifier is id:subject, in one string:
		// subject "b:c" of "a" and subject "c" of "a:b" would be one account.
		problems = append(problems, errors.New("the id has a colon: Kratos joins id and subject by one, so that two people could become one"))
	}
	if !allValid(p.Issuers) || !allValid(p.Claims) {
		problems = append(problems, errors.New("an issuer or the name of a claim is empty or not valid UTF-8"))
	}
	seen := map[string]bool{}
	for _, t := range p.Traits {
		name := strings.Join(t.Path, "/")
		if seen[name] {
			problems = append(problems, fmt.Errorf("trait %q is there twice", name))
		}
		seen[name] = true
		if err := t.check(); err != nil {
			problems = append(problems, fmt.Errorf("trait %q: %w", name, err))
		}
	}
	return problems
}

func (t Trait) check() error {
	switch {
	case len(t.Path) == 0 || !allValid(t.Path):
		return errors.New("the name is empty or not valid UTF-8")
	case len(t.ClaimPaths) == 0:
		return errors.New("it has no claim to come from: Kratos's mapper can only copy claims, so leave it out")
	}
	for _, path := range t.ClaimPaths {
		if len(path) == 0 || !allValid(path) {
			return errors.New("the path of a claim is empty or not valid UTF-8")
		}
	}
	return nil
}

// allValid reports whether every name can be a member name in JSON and is not
// empty: the encoder would replace what is not UTF-8, and two names become one.
func allValid(names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return n == "" || !utf8.ValidString(n) })
}
