package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/store"
)

func newStoreCmd() *cobra.Command {
	return group("store", "Check the userstore, back it up, move it to another one", newStoreVerifyCmd(), newStoreBackupCmd(), newStoreExportCmd(), newStoreImportCmd())
}

func newStoreVerifyCmd() *cobra.Command {
	var from access
	var out format
	var mend bool
	cmd := &cobra.Command{
		Use: "verify", Short: "Check the userstore, and mend what may be mended", Args: cobra.NoArgs,
		Long: `Check that every identity is found by its links and ids and nobody by another's,
and that the store's indexes say what its documents say. What follows from the
rest is mended; what two claim, or a backup must bring back, is listed. Logins
go on meanwhile. Exit code 2 while something is left.

An identity that is pending for a day is listed too: somebody began to sign in
and did not come back.`,
		Example: `  jithook store verify
  jithook store verify --mend=false -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return from.with(func(c *client) error { return verifyStore(cmd, c, out, mend) })
		},
	}
	cmd.Flags().BoolVar(&mend, "mend", true, "mend what may be mended; with --mend=false nothing is written")
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// verified is the end of what `store verify` prints.
type verified struct {
	Checked int64 `json:"checked"`
	Mended  int64 `json:"mended"`
	Left    int64 `json:"left"`
}

func verifyStore(cmd *cobra.Command, c *client, out format, mend bool) error {
	bar := newProgress(cmd.ErrOrStderr(), out, "checking", "entries")
	defer bar.end()
	list := newResults(cmd.OutOrStdout(), out, "findings")
	var n verified
	for token := ""; ; {
		reply, err := c.slow().post(cmd.Context(), "/store/verify", url.Values{"mend": {strconv.FormatBool(mend)}, "page_token": {token}}, nil)
		if err != nil {
			return explained(err)
		}
		var part admin.Inspection
		if err := decode(reply, &part); err != nil {
			return err
		}
		n.Checked += part.Checked
		bar.total += part.Total // each store's first part has its own
		bar.to(n.Checked)
		for _, f := range part.Findings {
			if f.Mended {
				n.Mended++
			} else {
				n.Left++
			}
			bar.clear()
			if err := list.add(f, findingLine(f)); err != nil {
				return err
			}
		}
		if part.NextPageToken == "" {
			break
		}
		if part.NextPageToken == token {
			return errors.New("the server repeats a page")
		}
		token = part.NextPageToken
	}
	bar.end()
	summary := fmt.Sprintf("%d entries checked, %d findings mended, %d left", n.Checked, n.Mended, n.Left)
	if err := list.end(n, summary); err != nil {
		return err
	}
	if n.Left > 0 {
		return errNo
	}
	return nil
}

func findingLine(f store.Finding) string {
	id, mended := f.IdentityID, ""
	if id == "" {
		id = f.DecisionID
	}
	if f.Mended {
		mended = "(mended) "
	}
	if f.Userstore != "" {
		mended += "in the store of " + shown(f.Userstore) + ": "
	}
	return fmt.Sprintf("%-13s  %-36s  %s%s", shown(string(f.Code)), shown(id), mended, shown(f.Text))
}

// results is a list that is printed as it comes, since it may be long: lines
// for people, or one JSON document.
type results struct {
	w     io.Writer
	out   format
	name  string
	began bool
}

func newResults(w io.Writer, out format, name string) *results {
	if out.json {
		w = printing{w}
	}
	return &results{w: w, out: out, name: name}
}

// add prints one result.
func (r *results) add(v any, line string) error {
	if !r.out.json {
		_, err := fmt.Fprintln(r.w, line)
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	separator := ","
	if !r.began {
		separator = r.head()
	}
	_, err = fmt.Fprintf(r.w, "%s%s", separator, data)
	return err
}

func (r *results) head() string {
	r.began = true
	return fmt.Sprintf(`{%q:[`, r.name)
}

// end prints the summary; as JSON, the members of v end the document.
func (r *results) end(v any, line string) error {
	if !r.out.json {
		_, err := fmt.Fprintln(r.w, line)
		return err
	}
	head := ""
	if !r.began {
		head = r.head()
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.w, "%s],%s\n", head, data[1:])
	return err
}
