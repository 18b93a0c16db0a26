package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/kratos/doctor"
	"github.com/jithook/jithook/kratos/setup"
	"github.com/jithook/jithook/provider"
)

// examination is what `kratos doctor` was asked for.
type examination struct {
	path, credential string
	files            []string
	project, console string
	admin, schema    string
	offline          bool
}

func newKratosDoctorCmd() *cobra.Command {
	var x examination
	var out format
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find what is wrong between a Kratos and jithook", Args: cobra.NoArgs,
		Long: `Read the configuration of a Kratos, a file or a project of Ory Network (whose
API key is in ` + oryKeyEnv + `), call its hooks with a request about which
nothing can be decided, look at the newest decisions, and name everything that
is wrong, where, and how to mend it (docs/doctor.md). Nothing is changed, and no
secret is shown. Exit code 2: something is wrong, or could not be looked at.`,
		Example: "  jithook kratos doctor --file kratos.yml\n  jithook kratos doctor --project ID -o json\n  jithook kratos doctor --file kratos.yml --offline",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := x.run(cmd.Context(), cmd.InOrStdin())
			if err != nil {
				return err
			}
			sound := "Nothing is wrong."
			if x.offline {
				sound = "Nothing is wrong in the configuration; the rest was not looked at."
			}
			return printDiagnosis(cmd.OutOrStdout(), out.json, found, sound)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&x.path, "config", "c", "jithook.yaml", "the server's configuration")
	f.StringVar(&x.credential, "credential", "", "the api key that this Kratos calls with, by its `NAME`; needed where several differ in what they may do")
	f.StringArrayVar(&x.files, "file", nil, kratosFileHelp+"; again for each -c of a Kratos that has several, in their order")
	f.StringVar(&x.project, "project", "", "the `ID` of a project of Ory Network")
	f.StringVar(&x.console, "console", kratos.DefaultConsole, "the `URL` of Ory Network's console API")
	f.StringVar(&x.admin, "admin", "", "the `URL` of the running server's admin API (default: admin.listen of the configuration)")
	f.StringVar(&x.schema, "schema", "", "the `FILE` with Kratos's default identity schema, where it cannot be read by the URL in the configuration")
	f.BoolVar(&x.offline, "offline", false, "look at the configuration alone: call no hook and no Admin API, and ask for no decisions")
	out.bindAs(cmd, "text", "text or json")
	cmd.MarkFlagsOneRequired("file", "project")
	cmd.MarkFlagsMutuallyExclusive("file", "project")
	return cmd
}

// diagnosis is a finding as it is printed.
type diagnosis struct {
	Code doctor.Code `json:"code"`
	Path string      `json:"path,omitempty"` // in Kratos's configuration
	File string      `json:"file,omitempty"`
	Line int         `json:"line,omitempty"`
	Col  int         `json:"col,omitempty"`
	Text string      `json:"text"`
	Mend string      `json:"mend"`
	Page string      `json:"page"`
}

func (x examination) run(ctx context.Context, stdin io.Reader) ([]diagnosis, error) {
	c, err := mustConfig(x.path)
	if err != nil {
		return nil, err
	}
	instance, ours, err := x.jithook(c)
	if err != nil {
		return nil, err
	}
	if x.schema != "" {
		if ours.Schema, err = readBounded(x.schema); err != nil {
			return nil, err
		}
	}
	live, fetch, err := x.read(ctx, stdin)
	if err != nil {
		return nil, err
	}
	found := doctor.Examine(live.tree, ours, fetch)
	if err := calledByOry(c.hookURL); err != nil && x.project != "" {
		found = append(found, doctor.Finding{Code: doctor.CodeHookUnreachable, Text: err.Error()})
	}
	if !x.offline {
		found = append(found, doctor.Probe(ctx, now, live.tree, c.hookURL, fetch)...)
		admins, err := c.kratosAdmins()
		if err != nil {
			return nil, err
		}
		if api := admins[instance]; api != nil {
			found = append(found, doctor.ProbeAdmin(ctx, api, instance)...)
		}
		found = append(found, x.recent(ctx, c, instance)...)
		if err := ctx.Err(); err != nil { // what was not waited for is no finding
			return nil, err
		}
	}
	all := []diagnosis{}
	for _, f := range doctor.Distinct(found) {
		d := diagnosis{Code: f.Code, Path: strings.Join(f.Path, "."), Text: f.Text, Mend: f.Code.Info().Mend, Page: "docs/doctor.md#" + string(f.Code)}
		if f.Path != nil {
			d.File, d.Line, d.Col = live.locate(f.Path)
		}
		all = append(all, d)
	}
	return all, nil
}

// read returns a Kratos's configuration, and how what it refers to is read.
func (x examination) read(ctx context.Context, stdin io.Reader) (kratosFiles, setup.Fetch, error) {
	if len(x.files) > 0 {
		live, err := readKratosFiles(stdin, x.files)
		return live, fileBeside(x.files[0]), err
	}
	console, err := kratos.NewConsole(x.console, os.Getenv(oryKeyEnv))
	if err != nil {
		return kratosFiles{}, nil, fmt.Errorf("%w (%s)", err, oryKeyEnv)
	}
	project, err := console.Project(ctx, x.project)
	return kratosFiles{tree: project.Config}, fromWeb(ctx, x.console), err
}

// jithook is which instance a Kratos is, and what the server's configuration says
// to it.
func (x examination) jithook(c config) (string, doctor.Jithook, error) {
	key, want, err := kratosConfig(c, x.credential)
	if err != nil {
		return "", doctor.Jithook{}, err
	}
	values, err := readAll(key.values)
	if err != nil {
		return "", doctor.Jithook{}, err
	}
	doc, err := kratos.Render(want)
	if err != nil {
		return "", doctor.Jithook{}, err
	}
	set, _, err := loadProviders(c) // kratosConfig has seen that there are no problems
	if err != nil {
		return "", doctor.Jithook{}, err
	}
	out := doctor.Jithook{Document: doc, HookURL: c.hookURL, Header: key.header, Keys: values, Restored: names(c.restoreTraits), Admin: want.Links}
	for _, p := range set.All() {
		if key.MaySpeakFor(p.ID) {
			out.Providers = append(out.Providers, examined(p))
		}
	}
	return key.Instance, out, nil
}

func examined(p *provider.Provider) doctor.Provider {
	out := doctor.Provider{ID: p.ID, Issuers: p.Issuers, Traits: p.TraitNames()}
	for _, rule := range p.Policy.Lookup() {
		name, _, _ := strings.Cut(strings.TrimPrefix(rule.Path, "/"), "/")
		out.Lookup = append(out.Lookup, name)
	}
	return out
}

// names are texts without their places; nil stays nil.
func names(texts []strictyaml.Text) []string {
	var out []string
	for _, t := range texts {
		out = append(out, t.Value)
	}
	return out
}

func printDiagnosis(w io.Writer, asJSON bool, found []diagnosis, sound string) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"findings": found}); err != nil {
			return err
		}
	} else {
		for _, d := range found {
			where := ""
			switch {
			case d.File != "":
				where = fmt.Sprintf("%s:%d:%d: ", d.File, d.Line, d.Col)
			case d.Path != "":
				where = d.Path + ": "
			}
			fmt.Fprintf(w, "%s%s: %s\n    %s (%s)\n", shown(where), d.Code, shown(d.Text), d.Mend, d.Page)
		}
		if len(found) == 0 {
			fmt.Fprintln(w, sound)
		}
	}
	if len(found) > 0 {
		return errNo
	}
	return nil
}
