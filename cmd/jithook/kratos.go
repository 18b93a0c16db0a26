package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provider"
)

// keyPlaceholder stands where the hook key belongs, unless it was asked for.
const keyPlaceholder = "PUT-THE-HOOK-KEY-HERE"

func newKratosCmd() *cobra.Command {
	return group("kratos", "Hook up Ory Kratos", newKratosConfigCmd(), newKratosRegisterCmd(), newKratosDoctorCmd(), newKratosImportCmd(), newKratosReconcileCmd())
}

func newKratosConfigCmd() *cobra.Command {
	var path, credential string
	var out format
	var methods []string
	var withKey bool
	cmd := &cobra.Command{
		Use: "config", Short: "Print the part of Kratos's configuration that calls jithook", Args: cobra.NoArgs,
		Long: `Print the hooks and the claims mappers in the structure of Kratos's own
configuration, with the templates inline. Merge it into kratos.yml: each entry
of selfservice.methods.oidc.config.providers belongs to the provider with the
same id, and its mapper_url replaces the one there.

Kratos's identity schema must have every trait that the providers' files map, or
kratos.restore_traits of the configuration lists those that it has. What people
are asked for (jit.scheme), it must have in any case: its form asks.`,
		Example: "  jithook kratos config -c jithook.yaml\n  jithook kratos config -c jithook.yaml --with-key -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := mustConfig(path)
			if err != nil {
				return err
			}
			key, doc, err := kratosConfig(c, credential)
			if err != nil {
				return err
			}
			doc.LoginMethods = methods
			if withKey {
				if doc.APIKey.Value, err = key.values[0].read(); err != nil {
					return err
				}
			}
			d, err := kratos.Render(doc)
			if err != nil {
				return err
			}
			if out.json {
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
	out.bindAs(cmd, "yaml", "yaml or json")
	cmd.Flags().StringVar(&credential, "credential", "", "the api key that this Kratos calls with, by its `NAME`; needed where several differ in what they may do")
	cmd.Flags().StringSliceVar(&methods, "login-methods", nil, "sign-in methods that get the login hook (default: every method that Kratos knows)")
	cmd.Flags().BoolVar(&withKey, "with-key", false, "print the hook key itself, the first where there are two, instead of "+keyPlaceholder)
	return cmd
}

// kratosConfig is what one Kratos has to be told, with a placeholder for the
// key, and the key.
func kratosConfig(c config, credential string) (apiKey, kratos.Config, error) {
	set, problems, err := loadProviders(c)
	if err != nil {
		return apiKey{}, kratos.Config{}, err
	}
	if len(problems) > 0 {
		return apiKey{}, kratos.Config{}, providerProblems(problems)
	}
	key, err := c.kratosKey(credential, set)
	if err = cmp.Or(err, c.callable()); err != nil {
		return apiKey{}, kratos.Config{}, err
	}
	out := kratos.Config{HookURL: c.hookURL, APIKey: kratos.APIKey{Header: key.header, Value: keyPlaceholder}, Links: c.hasAdmin(key.Instance)}
	for _, p := range set.All() {
		if key.MaySpeakFor(p.ID) {
			out.Providers = append(out.Providers, kratosProvider(p, c.restoreTraits))
		}
	}
	return key, out, nil
}

// callable returns an error if the hooks' address is made of a listen that stands
// for all addresses of this machine: Kratos can call none of that name.
func (c config) callable() error {
	host, _, _ := net.SplitHostPort(c.listen)
	at, err := netip.ParseAddr(host)
	if c.hookURLGiven || host != "" && (err != nil || !at.IsUnspecified()) {
		return nil
	}
	return fmt.Errorf("kratos.hook_url is missing: Kratos cannot call listen, %s; write hook_url: http://HOST:PORT as Kratos reaches this server", c.listen)
}

// hasAdmin reports whether a Kratos has an Admin API here.
func (c config) hasAdmin(name string) bool {
	return slices.ContainsFunc(c.instances, func(i instance) bool { return i.name.Value == name })
}

// kratosKey returns the api key with this name or, without one, the only one
// that Kratos may use. Several will do if they may do the same: a document with
// half of the providers would leave the others without their mapper.
func (c config) kratosKey(name string, set *provider.Set) (apiKey, error) {
	var keys []apiKey
	var names []string
	for _, k := range c.apiKeys {
		if k.May(hook.EndpointKratos) {
			keys, names = append(keys, k), append(names, k.Name)
		}
	}
	if len(keys) == 0 {
		return apiKey{}, fmt.Errorf("no api key has %q among its endpoints", hook.EndpointKratos)
	}
	if name != "" {
		at := slices.Index(names, name)
		if at < 0 {
			return apiKey{}, fmt.Errorf("no api key %q has %q among its endpoints; there are %q", name, hook.EndpointKratos, names)
		}
		return keys[at], nil
	}
	for _, k := range keys[1:] {
		if k.Instance != keys[0].Instance || !slices.Equal(spokenFor(k, set), spokenFor(keys[0], set)) {
			return apiKey{}, fmt.Errorf("the api keys %q differ in providers or instance: choose the one that this Kratos calls with by --credential NAME", names)
		}
	}
	return keys[0], nil
}

// spokenFor are the providers that a key may speak for.
func spokenFor(k apiKey, set *provider.Set) []string {
	var ids []string
	for _, p := range set.All() {
		if k.MaySpeakFor(p.ID) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// kratosProvider is what Kratos's mapper has to know of a provider: the traits
// that Kratos's schema has (kratos.restore_traits; all where that is unset) and
// that come straight from a claim. Any other
// trait jithook computes, and its reply to prepare brings it.
func kratosProvider(p *provider.Provider, restored []strictyaml.Text) kratos.Provider {
	out := kratos.Provider{ID: p.ID, Issuers: p.Issuers, Subject: p.Subject}
	out.Claims, out.AllClaims = p.ClaimNames()
	out.Keep = slices.ContainsFunc(p.Listed, func(t strictyaml.Text) bool { return t.Value == identity.SourceKratosAdmin })
	for _, t := range p.Mapping.Traits() {
		path := strings.Split(t.Path[1:], "/")
		listed := slices.ContainsFunc(restored, func(r strictyaml.Text) bool { return r.Value == path[0] })
		if len(t.ClaimPaths) > 0 && (restored == nil || listed) {
			out.Traits = append(out.Traits, kratos.Trait{Path: path, ClaimPaths: t.ClaimPaths})
		}
	}
	return out
}
