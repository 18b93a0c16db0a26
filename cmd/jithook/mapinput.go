package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictjson"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/rules"
)

// over are the flags that say what is tried, and over what.
type over struct {
	access
	provider, providers               string
	claims, decision, login, identity string
}

func (o *over) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.provider, "provider", "", "the `ID` of a provider: its whole file is tried, as a login would")
	f.StringVar(&o.providers, "providers", "", "the `FOLDER` of the providers' files (default that of the configuration, jithook.yaml)")
	f.StringVar(&o.claims, "claims", "", "the claims, as a `FILE` with a JSON object, or with a JWT, of which the\nsignature is not checked; - is the standard input")
	f.StringVar(&o.decision, "decision", "", "the claims of the stored decision with this `ID`, and what login has of it;\nrecord_claims: full keeps them")
	f.StringVar(&o.login, "login", "", "what login has, as a `FILE` with a JSON object; of an expression only")
	f.StringVar(&o.identity, "identity", "", "the identity, as a `FILE` with a JSON object, such as identity get -o json\nprints; without it there is none yet")
	o.access.bind(cmd)
	cmd.MarkFlagsOneRequired("claims", "decision")
	cmd.MarkFlagsMutuallyExclusive("claims", "decision")
	cmd.MarkFlagsMutuallyExclusive("provider", "login")
}

// vars are what an expression sees.
func (o *over) vars(cmd *cobra.Command) (v expr.Vars, err error) {
	var recorded *identity.Login
	if v.Claims, recorded, err = o.readClaims(cmd); err != nil {
		return expr.Vars{}, err
	}
	if v.Login, err = readObject(cmd, o.login, "login"); err != nil {
		return expr.Vars{}, err
	}
	if recorded != nil && v.Login == nil {
		e := recorded.Offers[0]
		v.Login = provision.LoginVars(*recorded, claims.Evidence{Source: e.Source, Issuer: e.Issuer, Subject: e.Subject})
	}
	known, err := o.known(cmd)
	v.Identity = known.seen().Vars()
	return v, err
}

// readClaims returns the claims of a file, or of a stored decision with its login.
func (o *over) readClaims(cmd *cobra.Command) (map[string]any, *identity.Login, error) {
	if o.decision != "" {
		return o.stored(cmd)
	}
	data, err := o.rawClaims(cmd)
	if err != nil {
		return nil, nil, err
	}
	m, err := object(data, "claims")
	return m, nil, err
}

func (o *over) rawClaims(cmd *cobra.Command) ([]byte, error) {
	data, err := readInput(cmd.InOrStdin(), o.claims, "claims")
	if err != nil {
		return nil, err
	}
	payload, token, err := tokenPayload(data)
	if token {
		fmt.Fprintln(cmd.ErrOrStderr(), "the claims are those of a JWT: nobody has checked its signature")
	}
	return payload, err
}

// tokenPayload returns the claims of a JWT (RFC 7519), and anything else as it
// is. JSON never looks like a JWT: it begins with a brace.
func tokenPayload(data []byte) (payload []byte, token bool, err error) {
	text := strings.TrimSpace(string(data))
	parts := strings.Split(text, ".")
	if strings.HasPrefix(text, "{") || len(parts) != 3 {
		return data, false, nil
	}
	if payload, err = base64.RawURLEncoding.DecodeString(parts[1]); err != nil {
		return nil, true, errors.New("claims: the middle part of the JWT is not base64url")
	}
	return payload, true, nil
}

// plan tries a provider's file as a login would.
func (o *over) plan(cmd *cobra.Command, args []string) (admin.Plan, error) {
	if len(args) > 0 {
		return admin.Plan{}, errors.New("name a provider or an expression, not both")
	}
	c, err := o.files()
	if err != nil {
		return admin.Plan{}, err
	}
	set, problems, err := loadProviders(c)
	if err != nil {
		return admin.Plan{}, err
	}
	if len(problems) > 0 {
		return admin.Plan{}, providerProblems(problems)
	}
	if _, ok := set.Get(o.provider); !ok {
		return admin.Plan{}, fmt.Errorf("no file in %s has the provider %q", c.providersShown, o.provider)
	}
	one := &rules.Case{File: &rules.File{Name: "claims", Provider: strictyaml.Text{Value: o.provider}}}
	if one.Claims, one.Recorded, err = o.readClaims(cmd); err != nil {
		return admin.Plan{}, err
	}
	known, err := o.known(cmd)
	if err != nil {
		return admin.Plan{}, err
	}
	one.Identity = known.person(o.provider)
	out, why, err := rules.Runner{Providers: set, Userstores: c.userstores, Now: now}.Explain(cmd.Context(), one)
	if err != nil {
		return admin.Plan{}, err
	}
	p := admin.PlanOf(out)
	p.Explanation = &why
	return p, nil
}

// files are the providers' files to try.
func (o *over) files() (config, error) {
	if o.providers != "" {
		return config{providersDir: o.providers, providersShown: o.providers, userstores: []string{provider.DefaultUserstore}}, nil
	}
	path := o.config
	if path == "" {
		path = "jithook.yaml"
	}
	return mustConfig(path)
}

// readObject reads a file with a JSON object; there is none without a path.
func readObject(cmd *cobra.Command, path, what string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	data, err := readInput(cmd.InOrStdin(), path, what)
	if err != nil {
		return nil, err
	}
	return object(data, what)
}

func object(data []byte, what string) (m map[string]any, err error) {
	if err := strictjson.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if m == nil {
		return nil, fmt.Errorf("%s: a JSON object is needed", what)
	}
	return m, nil
}

// readInput reads no more than a hook would of a request.
func readInput(stdin io.Reader, path, what string) ([]byte, error) {
	from := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, hook.MaxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case len(data) > hook.MaxBody:
		return nil, fmt.Errorf("%s: longer than %d bytes", what, hook.MaxBody)
	}
	return data, nil
}
