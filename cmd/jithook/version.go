package main

import (
	"encoding/json"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker for releases.
var version = ""

// versionText is the linker's version, else what the Go tool recorded.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

func newVersionCmd() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out.json {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"version": versionText()})
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "jithook", versionText())
			return err
		},
	}
	out.bindAs(cmd, "table", "table or json")
	return cmd
}
