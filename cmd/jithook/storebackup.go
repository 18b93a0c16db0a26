package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
)

// written is what `store backup` and `store export` print.
type written struct {
	File       string `json:"file"`
	Bytes      int64  `json:"bytes"`
	Identities int64  `json:"identities,omitempty"`
	Decisions  int64  `json:"decisions,omitempty"`
	// NotIncluded are the userstores that a backup lacks.
	NotIncluded []string `json:"not_included,omitempty"`
}

func newStoreBackupCmd() *cobra.Command {
	var from access
	var out format
	var to string
	cmd := &cobra.Command{
		Use: "backup --to FILE", Short: "Copy the embedded home store's file, also while jithook serves", Args: cobra.NoArgs,
		Long: `Write a consistent copy of the embedded store's file to FILE: the store as it
was at one moment, while logins go on. To restore it, stop jithook and put the
copy in the place of store.bolt.path. FILE holds personal data; only its owner
may read it, and a file that exists is not overwritten. A userstore in MongoDB
is backed up with mongodump.`,
		Example: "  jithook store backup --to /var/backups/jithook-$(date +%F).db",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return from.with(func(c *client) error {
				n, err := backUp(cmd, c, out, to)
				if err != nil {
					return explained(err)
				}
				return printWritten(cmd, out, n)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the `FILE` to write")
	_ = cmd.MarkFlagRequired("to") // fails only for a flag that is not there
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func printWritten(cmd *cobra.Command, out format, n written) error {
	if out.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(n)
	}
	what := fmt.Sprintf("%d bytes", n.Bytes)
	if n.Identities+n.Decisions > 0 {
		what = fmt.Sprintf("%d identities and %d decision records", n.Identities, n.Decisions)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s written to %s, which holds personal data\n", what, shown(n.File))
	if err == nil && len(n.NotIncluded) > 0 {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "not in it: the userstores %s, which have stores of their own\n", shown(strings.Join(n.NotIncluded, ", ")))
	}
	return err
}

// backUp writes beside the file and moves it there when it is whole and on the
// disk.
func backUp(cmd *cobra.Command, c *client, out format, to string) (n written, err error) {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return written{}, notOverwritten(to, err)
	}
	n.File = to
	dir := filepath.Dir(to)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(to)+"-*") // 0600
	if err != nil {
		return written{}, err
	}
	defer func() { err = errors.Join(err, discard(temp)) }()
	bar := newProgress(cmd.ErrOrStderr(), out, "copying", "MB")
	defer bar.end()
	err = c.stream(cmd.Context(), "/store/backup", nil, "application/octet-stream", func(h http.Header, length int64, body io.Reader) error {
		if length <= 0 {
			return errors.New("the server does not say how long the copy is: is it of another version than this command?")
		}
		bar.total = length
		if others := h.Get(admin.HeaderNotIncluded); others != "" {
			n.NotIncluded = strings.Split(others, ",")
		}
		n.Bytes, err = io.Copy(temp, &counted{Reader: body, bar: bar})
		switch {
		case err == nil && n.Bytes == length:
			return nil
		case cmd.Context().Err() != nil:
			return cmd.Context().Err()
		case errors.Is(err, io.ErrUnexpectedEOF) || err == nil:
			return errors.New("the copy broke off: the server ended, or its log says why")
		}
		return fmt.Errorf("copy: %w", err)
	})
	if err != nil {
		return written{}, err
	}
	if err := temp.Sync(); err != nil {
		return written{}, err
	}
	if err := place(temp.Name(), to); err != nil {
		return written{}, err
	}
	return n, syncDir(dir)
}

func notOverwritten(to string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s exists and is not overwritten: name another file", to)
}

// place gives a file its name unless something has it already. A link fails
// then, whatever happened since one looked; some file systems have none.
func place(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		if err != nil {
			return notOverwritten(to, nil)
		}
		return nil
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return notOverwritten(to, err)
	}
	return os.Rename(from, to)
}

// discard closes and removes a temporary file, which may have been renamed.
func discard(f *os.File) error {
	err := f.Close()
	if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// syncDir makes the names in a folder durable. Windows has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// counted shows what is read.
type counted struct {
	io.Reader
	bar *progress
	n   int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	c.bar.to(c.n)
	return n, err
}

// total is the sum of two numbers that headers give; 0 where one is missing.
func total(header http.Header) int64 {
	sum := int64(0)
	for _, name := range []string{admin.HeaderIdentities, admin.HeaderDecisions} {
		var n int64
		if _, err := fmt.Sscan(header.Get(name), &n); err != nil || n < 0 {
			return 0
		}
		sum += n
	}
	return sum
}
