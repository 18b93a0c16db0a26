package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provider"
)

// keyPlaceholder stands where the hook key belongs, unless it was asked for.
const keyPlaceholder = "PUT-THE-HOOK-KEY-HERE"

func newKratosCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "kratos", Short: "Hook up Ory Kratos"}
	cmd.AddCommand(newKratosConfigCmd())
	return cmd
}

func newKratosConfigCmd() *cobra.Command {
	var path, output string
	var methods []string
	var withKey bool
	cmd := &cobra.Command{
		Use: "config", Short: "Print the part of Kratos's configuration that calls jithook", Args: cobra.NoArgs,
		Long: `Print the hooks and the claims mappers in the structure of Kratos's own
configuration, with the templates inline. Merge it into kratos.yml: each entry
of selfservice.methods.oidc.config.providers belongs to the provider with the
same id, and its mapper_url replaces the one there.

Kratos stores the traits that it is given; kratos.restore_traits of the
configuration says which of them its identity schema has.`,
		Example: "  jithook kratos config -c jithook.yaml\n  jithook kratos config -c jithook.yaml --with-key -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := mustConfig(path)
			if err != nil {
				return err
			}
			d, err := kratosDocument(c, methods, withKey)
			if err != nil {
				return err
			}
			if output == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(d)
			}
			data, err := d.YAML()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "jithook.yaml", "the server's configuration")
	cmd.Flags().StringVarP(&output, "output", "o", "yaml", "yaml or json")
	cmd.Flags().StringSliceVar(&methods, "login-methods", nil, "sign-in methods that get the login hook (default: every method that Kratos knows)")
	cmd.Flags().BoolVar(&withKey, "with-key", false, "print the hook key itself instead of "+keyPlaceholder)
	return cmd
}

func kratosDocument(c config, methods []string, withKey bool) (kratos.Document, error) {
	loader, err := newLoader(c)
	if err != nil {
		return kratos.Document{}, err
	}
	set, problems := loader.Load(os.DirFS(c.providersDir))
	if len(problems) > 0 {
		return kratos.Document{}, fmt.Errorf("providers in %s:\n%s", c.providersDir, list(problems))
	}
	at := slices.IndexFunc(c.apiKeys, func(k apiKey) bool { return k.May(hook.EndpointKratos) })
	if at < 0 {
		return kratos.Document{}, fmt.Errorf("no api key has %q among its endpoints", hook.EndpointKratos)
	}
	key := kratos.APIKey{Header: c.apiKeys[at].header, Value: keyPlaceholder}
	if withKey {
		if key.Value, err = c.apiKeys[at].value.read(); err != nil {
			return kratos.Document{}, err
		}
	}
	out := kratos.Config{HookURL: c.hookURL, APIKey: key, LoginMethods: methods}
	for _, p := range set.All() {
		if c.apiKeys[at].MaySpeakFor(p.ID) {
			out.Providers = append(out.Providers, kratosProvider(p, c.restoreTraits))
		}
	}
	return kratos.Render(out)
}

// kratosProvider is what Kratos's mapper has to know of a provider: the traits
// that Kratos's schema has and that come straight from a claim. Any other
// trait jithook computes, and its reply to prepare brings it.
func kratosProvider(p *provider.Provider, schema []string) kratos.Provider {
	out := kratos.Provider{ID: p.ID, Issuers: p.Issuers}
	out.Claims, out.AllClaims = p.ClaimNames()
	for _, t := range p.Mapping.Traits() {
		name := t.Path[1:]
		if len(t.ClaimPaths) > 0 && (schema == nil || slices.Contains(schema, name)) {
			out.Traits = append(out.Traits, kratos.Trait{Name: name, ClaimPaths: t.ClaimPaths})
		}
	}
	return out
}
