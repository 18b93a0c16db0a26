package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/store/transfer"
)

func newStoreExportCmd() *cobra.Command {
	var from access
	var out format
	var to string
	var resume bool
	cmd := &cobra.Command{
		Use: "export --to FILE", Short: "Write the userstore as JSON lines", Args: cobra.NoArgs,
		Long: `Write identities and decision records to FILE as JSON lines, which
` + "`jithook store import`" + ` reads into any other userstore. FILE holds personal data;
only its owner may read it, and a file that exists is not overwritten. When it
broke off, the same command with --resume goes on where FILE ends.

Userstores with stores of their own are in FILE as well.

Logins may go on, but what changes meanwhile may be in FILE or not. To move a
userstore, stop them: jithook store export -c jithook.yaml --to FILE.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return from.with(func(c *client) error {
				n, err := export(cmd, c, out, to, resume)
				if err != nil {
					return explained(err)
				}
				return printWritten(cmd, out, n)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the `FILE` to write")
	cmd.Flags().BoolVar(&resume, "resume", false, "go on where an export to FILE broke off")
	_ = cmd.MarkFlagRequired("to") // fails only for a flag that is not there
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// exported is a file that is being written.
type exported struct {
	file   *os.File
	buffer *bufio.Writer
	// What there is already.
	at     transfer.Position
	counts transfer.Counts
	headed bool
	ended  bool
}

func export(cmd *cobra.Command, c *client, out format, to string, resume bool) (n written, err error) {
	e, err := openExport(to, resume)
	if err != nil {
		return written{}, err
	}
	if !e.ended {
		bar := newProgress(cmd.ErrOrStderr(), out, "exporting", "lines")
		defer bar.end()
		query := url.Values{}
		if e.at.Identity != "" {
			query.Set("after_identity", e.at.Identity)
		}
		if e.at.Decision != "" {
			query.Set("after_decision", e.at.Decision)
		}
		err = c.stream(cmd.Context(), "/store/export", query, admin.TypeLines, func(h http.Header, _ int64, body io.Reader) error {
			bar.total = total(h)
			return e.take(transfer.NewReader(body), bar)
		})
		switch {
		case cmd.Context().Err() != nil:
			err = cmd.Context().Err()
		case errors.Is(err, transfer.ErrCut), errors.Is(err, io.ErrUnexpectedEOF):
			err = errors.New("the export broke off: the server ended, or its log says why")
		}
	}
	size, err := e.close(err)
	if err == nil {
		err = syncDir(filepath.Dir(to))
	}
	switch {
	case err != nil && size == 0:
		return written{}, errors.Join(err, os.Remove(to))
	case err != nil:
		return written{}, fmt.Errorf("%w (%s holds what came until then: the same command with --resume goes on)", explained(err), to)
	}
	return written{File: to, Bytes: size, Identities: e.counts.Identities, Decisions: e.counts.Decisions}, nil
}

// close brings what was written to the disk, also after a failure, and returns
// the length of the file.
func (e *exported) close(failure error) (size int64, err error) {
	err = errors.Join(failure, e.buffer.Flush(), e.file.Sync())
	info, gone := e.file.Stat()
	if gone == nil {
		size = info.Size()
	}
	return size, errors.Join(err, gone, e.file.Close())
}

// openExport opens the file, and with resume reads what it holds and cuts off a
// line that was not written to its end.
func openExport(to string, resume bool) (*exported, error) {
	flags := os.O_RDWR | os.O_CREATE | os.O_EXCL
	if resume {
		flags = os.O_RDWR | os.O_CREATE
	}
	f, err := os.OpenFile(to, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s exists and is not overwritten: --resume goes on with an export that broke off", to)
	}
	if err != nil {
		return nil, err
	}
	e := &exported{file: f, buffer: bufio.NewWriterSize(f, 64<<10)}
	if resume {
		if err := e.resume(); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", to, err), f.Close())
		}
	}
	return e, nil
}

func (e *exported) resume() error {
	r := transfer.NewReader(e.file)
	for {
		_, _, err := r.Next()
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, transfer.ErrCut) {
			return fmt.Errorf("%w; it is not changed: name another file", err)
		}
		break
	}
	if r.Number == 0 {
		// Not even a header: only an export that was cut there may be begun anew.
		header, err := transfer.Encode(transfer.Header())
		if err != nil {
			return err
		}
		begun, err := io.ReadAll(io.NewSectionReader(e.file, 0, int64(len(header))+1))
		if err != nil || len(begun) > len(header) || string(begun) != string(header[:len(begun)]) {
			return errors.Join(err, errors.New("it is no export and is not changed: name another file"))
		}
	}
	e.at, e.counts, e.headed, e.ended = r.Position, r.Counts, r.Number > 0, r.Ended
	if err := errors.Join(e.file.Chmod(0o600), e.file.Truncate(r.Offset)); err != nil {
		return err
	}
	_, err := e.file.Seek(r.Offset, io.SeekStart)
	return err
}

// take writes what a stream brings behind what there is.
func (e *exported) take(r *transfer.Reader, bar *progress) error {
	begun := e.counts
	for {
		l, text, err := r.Next()
		if err != nil {
			return err
		}
		switch {
		case l.Version != 0 && e.headed:
			continue
		case l.End != nil:
			e.counts = transfer.Counts{Identities: begun.Identities + r.Counts.Identities, Decisions: begun.Decisions + r.Counts.Decisions}
			if text, err = transfer.Encode(transfer.Line{End: &e.counts}); err != nil {
				return err
			}
		}
		if _, err := e.buffer.Write(text); err != nil {
			return err
		}
		if l.End != nil {
			return nil
		}
		bar.to(begun.Total() + r.Counts.Total())
	}
}
