package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/internal/strictyaml"
)

// secret is where a secret is, not what it is. It has no String method: a
// printed configuration shows the place.
type secret struct {
	env, file, literal string
	at                 strictyaml.Text
}

func (r *configReader) secret(t strictyaml.Text) secret {
	s := secret{at: t}
	if name, ok := strings.CutPrefix(t.Value, "env:"); ok {
		s.env = name
		return s
	}
	if path, ok := strings.CutPrefix(t.Value, "file:"); ok {
		s.file = r.path(strictyaml.Text{Value: path})
		return s
	}
	if t.Value == "" {
		r.wrong(t, "the secret is empty")
	}
	s.literal = t.Value
	return s
}

// secrets are those of one credential.
func (r *configReader) secrets(name strictyaml.Text, values secretValues) []secret {
	if len(values) == 0 || len(values) > hook.MaxValues {
		r.wrong(name, "the credential %q has %d secrets: it may have one or, while it is exchanged, the new and the old one", name.Value, len(values))
	}
	out := make([]secret, len(values))
	for n, v := range values {
		out[n] = r.secret(v)
	}
	return out
}

// readAll returns the secrets of one credential; see read.
func readAll(secrets []secret) ([]string, error) {
	var values []string
	for _, s := range secrets {
		value, err := s.read()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// read returns the secret. Errors: it is nowhere, or empty; the text names the
// place and never the value.
func (s secret) read() (string, error) {
	where, value := "", s.literal
	switch {
	case s.env != "":
		where, value = "environment variable "+s.env, os.Getenv(s.env)
	case s.file != "":
		data, err := os.ReadFile(s.file)
		if err != nil {
			return "", fmt.Errorf("%s:%d:%d: secret: %w", s.at.File, s.at.Line, s.at.Col, err)
		}
		where, value = "file "+s.file, strings.TrimRight(string(data), "\r\n")
	}
	if value == "" {
		return "", fmt.Errorf("%s:%d:%d: the secret is empty: set %s", s.at.File, s.at.Line, s.at.Col, where)
	}
	return value, nil
}

// inClear reports whether the secret stands in the configuration itself.
func (s secret) inClear() bool { return s.literal != "" }
