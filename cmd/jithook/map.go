package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictjson"
)

// explainTime bounds an explanation, which CEL's limit on cost does not.
const explainTime = 10 * time.Second

func newMapCmd() *cobra.Command {
	return group("map", "Test rules, and try them over claims", newMapTestCmd(), newMapEvalCmd(), newMapExplainCmd(), newMapConvertCmd())
}

// over are the flags that say what an expression sees.
type over struct {
	claims, login, identity string
}

func (o *over) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.claims, "claims", "", "the claims, as a `FILE` with a JSON object, or with a JWT, of which the\nsignature is not checked; - is the standard input")
	cmd.Flags().StringVar(&o.login, "login", "", "what login has, as a `FILE` with a JSON object")
	cmd.Flags().StringVar(&o.identity, "identity", "", "the identity, as a `FILE` with a JSON object; without it identity is null")
	_ = cmd.MarkFlagRequired("claims") // fails only for a flag that is not there
}

func (o *over) vars(cmd *cobra.Command) (expr.Vars, error) {
	var v expr.Vars
	for _, part := range []struct {
		name, path string
		into       *map[string]any
	}{{"claims", o.claims, &v.Claims}, {"login", o.login, &v.Login}, {"identity", o.identity, &v.Identity}} {
		if part.path == "" {
			continue
		}
		data, err := readInput(cmd.InOrStdin(), part.path, part.name)
		if err != nil {
			return expr.Vars{}, err
		}
		if part.name == "claims" {
			if data, err = tokenPayload(data); err != nil {
				return expr.Vars{}, err
			}
		}
		if err := strictjson.Unmarshal(data, part.into); err != nil {
			return expr.Vars{}, fmt.Errorf("%s: %w", part.name, err)
		}
		if *part.into == nil {
			return expr.Vars{}, fmt.Errorf("%s: a JSON object is needed", part.name)
		}
	}
	return v, nil
}

// tokenPayload returns the claims of a JWT (RFC 7519), and anything else as it
// is. JSON never looks like a JWT: it begins with a brace.
func tokenPayload(data []byte) ([]byte, error) {
	text := strings.TrimSpace(string(data))
	parts := strings.Split(text, ".")
	if strings.HasPrefix(text, "{") || len(parts) != 3 {
		return data, nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errors.New("claims: the middle part of the JWT is not base64url")
	}
	return payload, nil
}

func newMapEvalCmd() *cobra.Command {
	var from over
	cmd := &cobra.Command{
		Use: "eval EXPRESSION --claims FILE", Short: "Say what an expression yields", Args: cobra.ExactArgs(1),
		Long: `Say what an expression yields over claims, as JSON. No server is asked. Exit
code 2 when it fails or a claim that it needs is missing: what a rule makes of
that says its ` + "`absent`" + `.`,
		Example: `  jithook map eval 'claims.groups.filter(g, g.startsWith("eng-"))' --claims claims.json
  jithook map eval claims.sub --claims token.jwt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			program, v, err := from.compile(cmd, args[0])
			if err != nil {
				return err
			}
			result, err := program.Eval(cmd.Context(), v)
			if err != nil {
				return failed(cmd, err)
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetEscapeHTML(false)
			return e.Encode(result)
		},
	}
	from.bind(cmd)
	return cmd
}

func newMapExplainCmd() *cobra.Command {
	var from over
	var out format
	cmd := &cobra.Command{
		Use: "explain EXPRESSION --claims FILE", Short: "Show what each part of an expression yields", Args: cobra.ExactArgs(1),
		Long: `Show an expression with the value of each of its parts below it, in its column.
What was not evaluated, since the rest decided already, has no value. No server
is asked. Exit code 2 when the expression fails or a claim is missing.`,
		Example: `  jithook map explain 'claims.hd == "acme.example" && claims.email_verified' --claims claims.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			program, v, err := from.compile(cmd, args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), explainTime)
			defer cancel()
			x, err := program.Explain(ctx, v)
			if err != nil {
				return err
			}
			if err := out.explanation(cmd.OutOrStdout(), x); err != nil {
				return err
			}
			if x.Err != nil {
				return failed(cmd, x.Err)
			}
			return nil
		},
	}
	from.bind(cmd)
	out.bindAs(cmd, "text", "text or json")
	return cmd
}

// compile returns the program of an expression of the command line.
func (o *over) compile(cmd *cobra.Command, text string) (*expr.Program, expr.Vars, error) {
	env, err := expr.NewEnv()
	if err != nil {
		return nil, expr.Vars{}, err
	}
	program, err := env.Compile(expr.Source{Text: text, File: "expression", Line: 1, Col: 1})
	if err != nil {
		return nil, expr.Vars{}, err
	}
	v, err := o.vars(cmd)
	return program, v, err
}

// failed prints why an expression has no value.
func failed(cmd *cobra.Command, err error) error {
	fmt.Fprintln(cmd.ErrOrStderr(), err)
	return errNo
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
