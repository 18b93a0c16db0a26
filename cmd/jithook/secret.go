package main

import (
	"fmt"
	"os"
	"strings"

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
