package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/internal/expr"
)

// explainTime bounds an explanation, which CEL's limit on cost does not.
const explainTime = 10 * time.Second

func newMapCmd() *cobra.Command {
	return group("map", "Test rules, and try them over claims", newMapTestCmd(), newMapEvalCmd(), newMapExplainCmd(), newMapConvertCmd())
}

func newMapEvalCmd() *cobra.Command {
	var from over
	var out format
	cmd := &cobra.Command{
		Use: "eval {EXPRESSION | --provider ID} {--claims FILE | --decision ID}", Short: "Say what an expression or a provider's file yields",
		Args: cobra.MaximumNArgs(1), DisableFlagsInUseLine: true,
		Long: `Say what an expression yields over claims, or what a login with these claims
becomes by a provider's file, as JSON. Nothing is written, and no server is
asked but for the claims of a stored decision. Exit code 2 when the expression
fails or a claim that it needs is missing (what a rule makes of that says its
` + "`absent`" + `), and when the login would not pass.`,
		Example: `  jithook map eval 'claims.groups.filter(g, g.startsWith("eng-"))' --claims claims.json
  jithook map eval claims.sub --claims token.jwt
  jithook map eval --provider acme --claims claims.json --providers ./providers`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if from.provider == "" {
				program, v, err := from.expression(cmd, args)
				if err != nil {
					return err
				}
				result, err := program.Eval(cmd.Context(), v)
				if err != nil {
					return failed(cmd, err)
				}
				return writeDocument(cmd.OutOrStdout(), result)
			}
			p, err := from.plan(cmd, args)
			if err != nil {
				return err
			}
			p.Explanation = nil
			return passes(p, writeDocument(cmd.OutOrStdout(), p))
		},
	}
	from.bind(cmd)
	out.bindAs(cmd, "json", "json, which it is anyway")
	return cmd
}

func newMapExplainCmd() *cobra.Command {
	var from over
	var out format
	cmd := &cobra.Command{
		Use: "explain {EXPRESSION | --provider ID} {--claims FILE | --decision ID}", Short: "Show why an expression or a provider's file yields what it does",
		Args: cobra.MaximumNArgs(1), DisableFlagsInUseLine: true,
		Long: `Show an expression with the value of each of its parts below it, in its column;
or of a provider's file each rule so, with what became of each trait and group
and why: who wrote what stays, and which line says that it does. What was not
evaluated, since the rest decided already, has no value. Nothing is written, and
no server is asked but for the claims of a stored decision. Exit code 2 as for
map eval.`,
		Example: `  jithook map explain 'claims.hd == "acme.example" && claims.email_verified' --claims claims.json
  jithook identity get ID -o json > ann.json
  jithook map explain --provider acme --claims claims.json --identity ann.json
  jithook map explain --provider acme --decision ID -c jithook.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if from.provider != "" {
				p, err := from.plan(cmd, args)
				if err != nil {
					return err
				}
				if out.json {
					return passes(p, writeDocument(cmd.OutOrStdout(), p))
				}
				return passes(p, newTeller(cmd.OutOrStdout()).plan(p))
			}
			program, v, err := from.expression(cmd, args)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), explainTime)
			defer cancel()
			x, err := program.Explain(ctx, v)
			if err != nil {
				return err
			}
			if err := out.explanation(cmd.OutOrStdout(), x.Trace()); err != nil {
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

// passes is the command's answer to a plan that was printed.
func passes(p admin.Plan, err error) error {
	if err == nil && !p.Decision.Allowed() {
		return errNo
	}
	return err
}

// failed prints why an expression has no value.
func failed(cmd *cobra.Command, err error) error {
	fmt.Fprintln(cmd.ErrOrStderr(), err)
	return errNo
}

// expression returns the program of the expression on the command line, and what
// it sees.
func (o *over) expression(cmd *cobra.Command, args []string) (*expr.Program, expr.Vars, error) {
	if len(args) == 0 {
		return nil, expr.Vars{}, fmt.Errorf("an expression is missing; or name a provider whose file is tried, with --provider")
	}
	env, err := expr.NewEnv()
	if err != nil {
		return nil, expr.Vars{}, err
	}
	program, err := env.Compile(expr.Source{Text: args[0], File: "expression", Line: 1, Col: 1})
	if err != nil {
		return nil, expr.Vars{}, err
	}
	v, err := o.vars(cmd)
	return program, v, err
}
