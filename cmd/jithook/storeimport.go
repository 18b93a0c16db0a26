package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/store/transfer"
)

func newStoreImportCmd() *cobra.Command {
	from := access{create: true}
	var out format
	var path string
	cmd := &cobra.Command{
		Use: "import --from FILE", Short: "Bring an export into a userstore", Args: cobra.NoArgs,
		Long: `Write the identities and decision records of FILE, which ` + "`jithook store export`" + `
wrote, into the userstore. The whole file is checked before anything is written.
What the store has already stays as it is: after an interruption, the same
command goes on. Exit code 2 when the store has something else under an id or a
key of FILE; those lines are listed and everything else is imported.

Every identity goes where the configuration has its userstore: so an export and
an import into empty stores also move a userstore into a store of its own, or
back home.`,
		Example: `  jithook store export -c jithook.yaml --to jithook.jsonl
  jithook store import -c other.yaml --from jithook.jsonl`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := checkExport(cmd, f, out); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return err
			}
			return from.with(func(c *client) error { return importFile(cmd, c, f, out) })
		},
	}
	cmd.Flags().StringVar(&path, "from", "", "the `FILE` to read")
	_ = cmd.MarkFlagRequired("from") // fails only for a flag that is not there
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// fileReader reads an export and shows how far it has come.
func fileReader(cmd *cobra.Command, f *os.File, out format, label string) (*transfer.Reader, *progress, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	bar := newProgress(cmd.ErrOrStderr(), out, label, "MB")
	bar.total = info.Size()
	return transfer.NewReader(f), bar, nil
}

// checkExport reads the whole file. A file that is cut off must not pass for a
// smaller userstore.
func checkExport(cmd *cobra.Command, f *os.File, out format) error {
	r, bar, err := fileReader(cmd, f, out, "checking")
	if err != nil {
		return err
	}
	defer bar.end()
	for {
		l, _, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, transfer.ErrCut):
			return fmt.Errorf("behind line %d %w: finish it with `jithook store export --resume`", r.Number, err)
		case err != nil:
			return err
		}
		if err := l.Check(); err != nil {
			return &transfer.LineError{Line: r.Number, Err: err}
		}
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		bar.to(r.Offset)
	}
}

// refusedLine is a line that the store is not as.
type refusedLine struct {
	Line    int              `json:"line"`
	Outcome transfer.Outcome `json:"outcome"`
	ID      string           `json:"id"`
}

// imported is the end of what `store import` prints.
type imported struct {
	Imported int64 `json:"imported"`
	Same     int64 `json:"same"`
	Left     int64 `json:"refused_lines"`
}

// importer sends a file in batches.
type importer struct {
	client *client
	list   *results
	bar    *progress
	n      imported

	batch bytes.Buffer
	lines []int // of the file, in the batch
}

func importFile(cmd *cobra.Command, c *client, f *os.File, out format) error {
	r, bar, err := fileReader(cmd, f, out, "importing")
	if err != nil {
		return err
	}
	defer bar.end()
	i := &importer{client: c.slow(), list: newResults(cmd.OutOrStdout(), out, "refused"), bar: bar}
	for {
		l, text, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if l.Identity == nil && l.Decision == nil {
			continue
		}
		if len(i.lines) == admin.MaxImportLines || i.batch.Len()+len(text) > admin.MaxImport/2 && len(i.lines) > 0 {
			if err := i.send(cmd.Context()); err != nil {
				return err
			}
			bar.to(r.Offset)
		}
		i.batch.Write(text)
		i.lines = append(i.lines, r.Number)
	}
	if err := i.send(cmd.Context()); err != nil {
		return err
	}
	bar.to(r.Offset)
	bar.end()
	summary := fmt.Sprintf("%d lines imported, %d were there already, %d refused", i.n.Imported, i.n.Same, i.n.Left)
	if err := i.list.end(i.n, summary); err != nil {
		return err
	}
	if i.n.Left > 0 {
		return errNo
	}
	return nil
}

// send sends the batch and begins another one.
func (i *importer) send(ctx context.Context) error {
	if len(i.lines) == 0 {
		return nil
	}
	reply, err := i.client.postLines(ctx, "/store/import", i.batch.Bytes())
	if err != nil {
		return fmt.Errorf("lines %d to %d: %w (the same command goes on where this one ended)", i.lines[0], i.lines[len(i.lines)-1], explained(err))
	}
	var done admin.Imported
	if err := decode(reply, &done); err != nil {
		return err
	}
	if len(done.Lines) != len(i.lines) {
		return errors.New("the server's reply cannot be understood: is it of another version than this command?")
	}
	for n, l := range done.Lines {
		switch {
		case l.Outcome == transfer.Imported:
			i.n.Imported++
		case l.Outcome == transfer.Same:
			i.n.Same++
		default: // whatever it is, the store is not as the line says
			i.n.Left++
			i.bar.clear()
			line := refusedLine{i.lines[n], l.Outcome, l.ID}
			if err := i.list.add(line, line.String()); err != nil {
				return err
			}
		}
	}
	i.batch.Reset()
	i.lines = i.lines[:0]
	return nil
}

func (l refusedLine) String() string {
	why := shown(string(l.Outcome))
	switch l.Outcome {
	case transfer.Different:
		why = "the store has another one under this id"
	case transfer.Taken:
		why = "another identity of the store holds one of its keys"
	case transfer.Elsewhere:
		why = "one of its subjects is pinned to another userstore"
	}
	return fmt.Sprintf("line %d  %s  %s", l.Line, shown(l.ID), why)
}

// postLines sends JSON lines.
func (c *client) postLines(ctx context.Context, path string, lines []byte) ([]byte, error) {
	return c.send(ctx, http.MethodPost, path, admin.TypeLines, lines)
}
