package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/identity"
)

// format is what -o asks for: JSON, or the form for people.
type format struct {
	people string // the name of that form
	json   bool
}

func (f *format) String() string {
	if f.json {
		return "json"
	}
	return f.people
}

// Type is what the flag's help shows for a value.
func (f *format) Type() string { return "FORMAT" }

// Set reads the flag's value.
func (f *format) Set(text string) error {
	switch {
	case text != "json" && f.people == "json":
		return errors.New("there is json alone")
	case text != "json" && text != f.people:
		return fmt.Errorf("there are %s and json", f.people)
	}
	f.json = text == "json"
	return nil
}

// bind adds the flag to a command that prints a document of the admin API.
func (f *format) bind(cmd *cobra.Command) {
	f.bindAs(cmd, "table", "table, or json: the admin API's own document")
}

func (f *format) bindAs(cmd *cobra.Command, people, usage string) {
	f.people = people
	cmd.Flags().VarP(f, "output", "o", usage)
}

// print writes a reply of the admin API: as it came, or as table lays it out.
func (f *format) print(w io.Writer, reply []byte, table func(io.Writer) error) error {
	if !f.json {
		return table(w)
	}
	_, err := printing{w}.Write(append(bytes.TrimRight(reply, "\n"), '\n'))
	return err
}

// decode reads a reply. Numbers keep their digits.
func decode(reply []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(reply))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return errors.New("the server's reply cannot be understood: is it of another version than this command?")
	}
	return nil
}

// paging is the flags of a list.
type paging struct {
	token string
	all   bool
}

func (p *paging) bind(cmd *cobra.Command) {
	cmd.Flags().Int("page-size", 0, "how `many` to ask for at once, 1 to 500 (default 50)")
	cmd.Flags().StringVar(&p.token, "page-token", "", "go on where the page with this next_page_token ended")
	cmd.Flags().BoolVar(&p.all, "all", false, "every page, as one")
}

// fetch returns the page, or with --all one page of all.
func (p *paging) fetch(cmd *cobra.Command, c *client, path, member string, query url.Values) ([]byte, error) {
	var all []json.RawMessage
	for token := p.token; ; {
		query.Set("page_token", token)
		reply, err := c.get(cmd.Context(), path, query)
		if err != nil || !p.all {
			return reply, explained(err)
		}
		var page map[string]json.RawMessage
		var entries []json.RawMessage
		var next string
		if err := errors.Join(decode(reply, &page), decode(page[member], &entries), decode(page["next_page_token"], &next)); err != nil {
			return nil, errors.New("the server's reply cannot be understood: is it of another version than this command?")
		}
		all = append(all, entries...)
		if next == "" {
			return json.Marshal(map[string]any{member: append([]json.RawMessage{}, all...), "next_page_token": ""})
		}
		if next == token {
			return nil, errors.New("the server repeats a page")
		}
		token = next
	}
}

// more tells on stderr that there is another page.
func more(cmd *cobra.Command, token string) {
	if token != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "There are more: --all, or --page-token %s\n", shown(token))
	}
}

// filters are the parameters of those flags that were given, an empty one
// included: the API refuses it, rather than listing everybody.
func filters(cmd *cobra.Command, flags ...string) url.Values {
	query := url.Values{}
	for _, name := range flags {
		if f := cmd.Flags().Lookup(name); f.Changed {
			query.Set(strings.ReplaceAll(name, "-", "_"), f.Value.String())
		}
	}
	return query
}

// table is aligned columns. Cells are what anybody may have chosen, and are
// made harmless.
type table struct {
	w     *tabwriter.Writer
	whole bool // cells are shown whole, however long
}

func newTable(w io.Writer) table { return table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// maxCell is how much of a value a table shows, in characters.
const maxCell = 80

func (t table) row(cells ...string) {
	for i, c := range cells {
		if cells[i] = shown(c); !t.whole {
			cells[i] = cut(cells[i])
		}
		if c == "" {
			cells[i] = "-"
		}
	}
	// The writer keeps an error for flush.
	fmt.Fprintln(t.w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t table) flush() error { return t.w.Flush() }

// sections ends the columns so far and writes each list with columns of its
// own, below its head; a head alone is left out.
func (t table) sections(lists ...[][]string) error {
	for _, rows := range lists {
		if len(rows) < 2 {
			continue
		}
		if err := t.flush(); err != nil {
			return err
		}
		fmt.Fprintln(t.w)
		for _, r := range rows {
			t.row(r...)
		}
	}
	return t.flush()
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxCell {
		return s
	}
	return string([]rune(s)[:maxCell-1]) + "…"
}

// shown is text as it may go to a terminal: what a person at some provider
// chose must not move the cursor, begin a new line or turn the writing around.
// Text with anything that does not print is quoted like a Go string, and so is
// text that would look as if it were.
func shown(s string) string {
	harmless := !strings.HasPrefix(s, `"`) && utf8.ValidString(s)
	for _, r := range s {
		harmless = harmless && unicode.IsPrint(r)
	}
	if harmless {
		return s
	}
	return strconv.Quote(s)
}

// value is a trait's value in one cell: a string as it is, else JSON.
func value(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "?"
	}
	return strings.TrimRight(b.String(), "\n")
}

// when is a time in one cell, in UTC; empty if it is not known.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// reasons writes why it was decided so, with what the operator may do.
func reasons(w io.Writer, all []identity.Reason) {
	fmt.Fprintln(w, "\nReasons")
	for _, r := range all {
		line := shown(string(r.Code))
		if r.Rule != "" {
			line += " (" + shown(r.Rule) + ")"
		}
		if r.Path != "" {
			line += " at " + shown(r.Path)
		}
		fmt.Fprintf(w, "  %s\n    to the person:  %s\n", line, shown(r.Text))
		if info, ok := r.Code.Info(); ok {
			fmt.Fprintf(w, "    to you:         %s\n", info.Operator)
		}
	}
}

// changes writes the changed paths.
func changes(w io.Writer, all []identity.Change) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "\nChanges")
	for _, c := range all {
		fmt.Fprintf(w, "  %-6s  %s\n", shown(c.Op), shown(c.Path))
	}
}
