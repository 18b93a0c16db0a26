package main

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/provider"
)

//go:generate go test -run TestSchemasAreFresh . -update-schemas
//go:generate go test -run TestReferenceIsFresh . -update-reference

func newSchemaCmd() *cobra.Command {
	cmd := group("schema", "Print the JSON Schemas of the files, for editors")
	cmd.Long = `Print the JSON Schema of a provider's file or of the server's configuration. An
editor that knows it completes keys, explains them, and marks what is wrong in
form; "jithook check" says the rest. Most editors read this first line:

  # yaml-language-server: $schema=../schemas/provider.schema.json`
	add := func(name, short string, schema func() (map[string]any, error)) {
		cmd.AddCommand(&cobra.Command{
			Use: name, Short: short, Args: cobra.NoArgs, Example: "  jithook schema " + name + " > " + name + ".schema.json",
			RunE: func(cmd *cobra.Command, _ []string) error {
				s, err := schema()
				if err != nil {
					return err
				}
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				e.SetEscapeHTML(false)
				return e.Encode(s)
			},
		})
	}
	add("provider", "The JSON Schema of a provider's file", provider.Schema)
	add("config", "The JSON Schema of the server's configuration", configSchema)
	return cmd
}

func configSchema() (map[string]any, error) {
	return strictyaml.SchemaOf(reflect.TypeFor[configFile](), "The configuration of jithook's server", nil)
}

// Shape implements strictyaml.Shaped.
func (interval) Shape(of func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return of(reflect.TypeFor[time.Duration]())
}

// Shape implements strictyaml.Shaped.
func (retention) Shape(of func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return of(reflect.TypeFor[time.Duration]())
}
