package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/kratos/setup"
)

// oryKeyEnv names the variable that holds the API key of an Ory workspace, as
// Ory's own tool calls it.
const oryKeyEnv = "ORY_WORKSPACE_API_KEY"

// registration is what `kratos register` was asked for.
type registration struct {
	path, credential       string
	file, project, console string
	methods                []string
	mappers                map[string]string
	write, remove          bool
}

func newKratosRegisterCmd() *cobra.Command {
	var r registration
	cmd := &cobra.Command{
		Use: "register", Short: "Put hooks and mappers into a Kratos, or take them out", Args: cobra.NoArgs,
		Long: `Compare the configuration of a Kratos with what jithook needs of it, show what
differs and, with --write, change it: a file of a self-hosted Kratos, whose
comments stay, or a project of Ory Network, whose API key is in
` + oryKeyEnv + `. Twice is once. Values are never shown.

Hooks of yours stay. A list for a method replaces the flow's global list, so the
hooks of that come along, after ours. --remove takes out what is jithook's, and
nothing else: hooks below kratos.hook_url, or with jithook's own body.

With --file - --write the whole is written to the standard output. Exit code 2:
Ory Network has not taken over everything.`,
		Example: `  jithook kratos register --file kratos.yml
  jithook kratos register --file kratos.yml --write
  jithook kratos register --project ID --write
  jithook kratos register --file kratos.yml --remove --mapper acme=file://acme.jsonnet --write`,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVarP(&r.path, "config", "c", "jithook.yaml", "the server's configuration")
	f.StringVar(&r.credential, "credential", "", "the api key that this Kratos calls with, by its `NAME`; needed where several differ in what they may do")
	f.StringVar(&r.file, "file", "", kratosFileHelp)
	f.StringVar(&r.project, "project", "", "the `ID` of a project of Ory Network")
	f.StringVar(&r.console, "console", kratos.DefaultConsole, "the `URL` of Ory Network's console API")
	f.StringSliceVar(&r.methods, "login-methods", nil, "sign-in methods that get the login hook (default: every method that Kratos knows)")
	f.StringToStringVar(&r.mappers, "mapper", nil, "with --remove: the `ID=URL` of the mapper that a provider gets instead")
	f.BoolVar(&r.write, "write", false, "make the changes")
	f.BoolVar(&r.remove, "remove", false, "take out what is jithook's")
	cmd.MarkFlagsOneRequired("file", "project")
	cmd.MarkFlagsMutuallyExclusive("file", "project")
	return cmd
}

func (r registration) run(cmd *cobra.Command) error {
	if len(r.mappers) > 0 && !r.remove {
		return errors.New("--mapper goes with --remove: otherwise the mapper is jithook's")
	}
	c, err := mustConfig(r.path)
	if err != nil {
		return err
	}
	if r.file != "" {
		return r.inFile(c, cmd)
	}
	return r.inProject(cmd.Context(), c, cmd.OutOrStdout())
}

// plan is what has to change in a configuration of Kratos.
func (r registration) plan(c config, live map[string]any, fetch setup.Fetch) (setup.Plan, error) {
	if r.remove {
		return setup.Unregister(live, c.hookURL, r.mappers, fetch)
	}
	key, want, err := kratosConfig(c, r.credential)
	if err != nil {
		return setup.Plan{}, err
	}
	want.LoginMethods = r.methods
	if want.APIKey.Value, err = key.values[0].read(); err != nil {
		return setup.Plan{}, err
	}
	doc, err := kratos.Render(want)
	if err != nil {
		return setup.Plan{}, err
	}
	return setup.Register(live, doc, c.hookURL, fetch)
}

func (r registration) inFile(c config, cmd *cobra.Command) error {
	data, err := readKratosFile(cmd.InOrStdin(), r.file)
	if err != nil {
		return err
	}
	live, err := setup.ReadYAML(data)
	if err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	plan, err := r.plan(c, live, fileBeside(r.file))
	if err != nil {
		return err
	}
	text, err := setup.Edit(data, plan.Changes)
	if err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	out := cmd.OutOrStdout()
	switch {
	case r.file == "-" && r.write:
		if _, err := out.Write(text); err != nil {
			return err
		}
		out = cmd.ErrOrStderr()
	case r.file != "-":
		if !r.remove {
			open, err := openToAll(r.file)
			if err != nil {
				return err
			}
			plan.Notes = append(plan.Notes, open...)
		}
		if r.write && len(plan.Changes) > 0 {
			if err := overwrite(r.file, text); err != nil {
				return err
			}
		}
	}
	return r.report(out, plan, "Kratos reads it when it starts again.")
}

// calledByOry refuses hooks that Ory Network does not reach, such as those of a
// configuration that does not say where: nobody would sign in any more, by whatever
// method, since each asks first.
func calledByOry(hookURL string) error {
	if !strings.HasPrefix(hookURL, "https://") {
		return fmt.Errorf("kratos.hook_url is %s: Ory Network has to reach the hooks, by https, or nobody signs in there any more", hookURL)
	}
	return nil
}

func (r registration) inProject(ctx context.Context, c config, w io.Writer) error {
	if err := calledByOry(c.hookURL); err != nil && !r.remove {
		return err
	}
	console, err := kratos.NewConsole(r.console, os.Getenv(oryKeyEnv))
	if err != nil {
		return fmt.Errorf("%w (%s)", err, oryKeyEnv)
	}
	project, err := console.Project(ctx, r.project)
	if err != nil {
		return err
	}
	fetch, then := fromWeb(ctx, r.console), "It counts within seconds."
	plan, err := r.plan(c, project.Config, fetch)
	if err != nil {
		return err
	}
	var left setup.Plan
	if r.write && len(plan.Changes) > 0 {
		patches := make([]kratos.Patch, 0, len(plan.Changes))
		for _, c := range plan.Changes {
			patches = append(patches, kratos.Patch{Op: c.Op, Path: c.Path, Value: c.Value})
		}
		after, err := console.Change(ctx, project, patches)
		if err != nil {
			return err
		}
		if left, err = r.plan(c, after.Config, fetch); err != nil {
			return err
		}
	}
	for _, c := range left.Changes {
		then = "It is not as it should be."
		plan.Notes = append(plan.Notes, fmt.Sprintf("Ory Network has not taken over %s (%s)", strings.Join(c.Path, "."), c.Note))
	}
	if err := r.report(w, plan, then); err != nil || len(left.Changes) == 0 {
		return err
	}
	return errNo
}

// report writes what has changed, or would.
func (r registration) report(w io.Writer, plan setup.Plan, after string) error {
	sign := map[string]string{setup.Add: "+", setup.Replace: "~", setup.Remove: "-"}
	for _, c := range plan.Changes {
		fmt.Fprintf(w, "%s %s\n    %s\n", sign[c.Op], shown(strings.Join(c.Path, ".")), shown(c.Note))
	}
	for _, n := range plan.Notes {
		fmt.Fprintf(w, "! %s\n", shown(n))
	}
	end := "Written. " + after
	switch {
	case len(plan.Changes) == 0 && len(plan.Notes) > 0:
		end = "Nothing else to do."
	case len(plan.Changes) == 0:
		end = "Nothing to do."
	case !r.write:
		end = "Nothing is written: --write does it."
	}
	_, err := fmt.Fprintln(w, end)
	return err
}
