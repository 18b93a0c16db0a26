package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

func newIdentityExportCmd() *cobra.Command {
	var from access
	var out format
	cmd := &cobra.Command{
		Use: "export ID", Short: "Print what is held about one person, as JSON", Args: cobra.ExactArgs(1),
		Long: `Print what jithook holds about one person: the identity, and the decision
records about it and its subjects. It is personal data.`,
		Example: "  (umask 077; jithook identity export ID > ann.json)",
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := identityPath(args[0])
			if err != nil {
				return err
			}
			return from.with(func(c *client) error {
				document, err := exportIdentity(cmd, c, path)
				if err != nil {
					return err
				}
				out.json = true
				return out.print(cmd.OutOrStdout(), document, nil)
			})
		},
	}
	from.bind(cmd)
	out.bindAs(cmd, "json", "json: the admin API's own document")
	return cmd
}

// exportIdentity returns the document once it is whole.
func exportIdentity(cmd *cobra.Command, c *client, path string) ([]byte, error) {
	var document bytes.Buffer
	err := c.stream(cmd.Context(), path+"/export", nil, "application/json", func(_ http.Header, _ int64, body io.Reader) error {
		_, err := io.Copy(&document, io.LimitReader(body, maxReply+1))
		return err
	})
	switch {
	case missing(err):
		return nil, errors.New("there is no identity with this id")
	case cmd.Context().Err() != nil:
		return nil, cmd.Context().Err()
	case err == nil && document.Len() > maxReply:
		return nil, fmt.Errorf("the document is longer than %d bytes: ask the admin API itself for it", maxReply)
	case err == nil && !json.Valid(document.Bytes()), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("the export broke off: the server ended, or its log says why")
	}
	return document.Bytes(), explained(err)
}
