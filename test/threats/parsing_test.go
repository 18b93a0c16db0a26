package threats_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestS10_DuplicateMembers: two readers of one document must not understand
// it differently.
func TestS10_DuplicateMembers(t *testing.T) {
	first := func(body string) (name string) {
		_, rest, _ := strings.Cut(body, `"`)
		name, _, _ = strings.Cut(rest, `"`)
		return name
	}
	refused(t, map[string]func(body string) string{
		"twice":     func(b string) string { return `{"` + first(b) + `":null,` + b[1:] },
		"escaped":   func(b string) string { return `{"\u00` + hex(first(b)[0]) + first(b)[1:] + `":1,` + b[1:] },
		"capital":   func(b string) string { return `{"` + strings.ToUpper(first(b)) + `":1,` + b[1:] },
		"nested":    func(b string) string { return strings.Replace(b, `"DEEP"`, `{"a":1,"a":2}`, 1) },
		"long s":    func(b string) string { return strings.Replace(b, `"DEEP"`, "{\"sub\":1,\"\u017fub\":2}", 1) },
		"in a list": func(b string) string { return strings.Replace(b, `"DEEP"`, `[{"a":1,"A":2}]`, 1) },
	})
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// TestS11_TrailingData: what follows a document might be another one.
func TestS11_TrailingData(t *testing.T) {
	refused(t, map[string]func(body string) string{
		"document": func(b string) string { return b + "{}" },
		"itself":   func(b string) string { return b + "\n" + b },
		"word":     func(b string) string { return b + " x" },
		"NUL":      func(b string) string { return b + "\x00" },
		"comma":    func(b string) string { return b + "," },
	})
}

// TestS12_Depth: 65 levels are too many, and so are as many as fit.
func TestS12_Depth(t *testing.T) {
	nested := func(n int, before, after string) func(string) string {
		deep := strings.Repeat(before, n) + "1" + strings.Repeat(after, n)
		return func(b string) string { return strings.Replace(b, `"DEEP"`, deep, 1) }
	}
	refused(t, map[string]func(body string) string{
		"lists":     nested(65, "[", "]"),
		"objects":   nested(65, `{"a":`, "}"),
		"no end":    nested(500_000, "[", ""),
		"thousands": nested(100_000, `{"a":`, "}"),
	})
}

// refused sends what the edits make of every endpoint's good body: each is a 400
// that changes nothing, and the good one is none. A file of testdata/bodies is a
// body below the line with its endpoint.
func refused(t *testing.T, edits map[string]func(body string) string) {
	files, err := filepath.Glob("testdata/bodies/*.json")
	if err != nil || len(files) != 9 {
		t.Fatalf("%d bodies, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := bytes.Cut(data, []byte("\n"))
		method, path, _ := strings.Cut(string(head), " ")
		good := strings.TrimSpace(string(rest))
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			w := open(t, acme, social)
			w.register(ann)
			to := strings.ReplaceAll(path, "ID", w.all()[0].ID)
			before := w.all()
			for name, edit := range edits {
				if status, reply := w.send(method, to, edit(good)); status != http.StatusBadRequest {
					t.Errorf("%s: %d %v", name, status, reply)
				}
			}
			if diff := cmp.Diff(before, w.all()); diff != "" {
				t.Errorf("written (-before +after):\n%s", diff)
			}
			if status, reply := w.send(method, to, good); status == http.StatusBadRequest || status >= 500 {
				t.Errorf("the good body: %d %v", status, reply)
			}
		})
	}
}
