// These tests prove that keys of different things never meet, that subjects
// which could not be a key are refused, and that the closed list of reason
// codes is complete, unambiguous and the same as the README's.
package identity_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jithook/jithook/identity"
)

var update = flag.Bool("update", false, "rewrite the README's table of reason codes")

func TestKeysOfDifferentThingsDiffer(t *testing.T) {
	keys := map[string]identity.Key{
		"subject":                    identity.FedKey("https://idp", "s"),
		"issuer with a slash":        identity.FedKey("https://idp/", "s"),
		"issuer and subject shifted": identity.FedKey("https://idp/s", ""),
		"parts joined":               identity.FedKey("https://id", "ps"),
		"external id":                identity.ExtKey(identity.ExternalID{System: "kratos", Instance: "main", ID: "s"}),
		"other instance":             identity.ExtKey(identity.ExternalID{System: "kratos", Instance: "other", ID: "s"}),
		"other system":               identity.ExtKey(identity.ExternalID{System: "external", Instance: "main", ID: "s"}),
		"mail":                       identity.MailKey("default", "s"),
		"mail elsewhere":             identity.MailKey("employees", "s"),
		"name":                       identity.NameKey("default", "/username", "s"),
		"name at another path":       identity.NameKey("default", "/nick", "s"),
		"name elsewhere":             identity.NameKey("employees", "/username", "s"),
	}
	seen := map[identity.Key]string{}
	for name, k := range keys {
		if other, ok := seen[k]; ok {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[k] = name
	}
}

func TestKeyHidesItsPartsAndNamesItsKind(t *testing.T) {
	k := identity.MailKey("default", "ann@acme.example")
	if strings.Contains(string(k), "ann") || k.Kind() != identity.KeyMail {
		t.Errorf("key %q", k)
	}
	if k != identity.MailKey("default", "ann@acme.example") {
		t.Error("the same parts made two keys")
	}
}

func TestCheckSubject(t *testing.T) {
	for name, c := range map[string]struct {
		subject string
		ok      bool
	}{
		"plain":             {"s-1", true},
		"e-mail":            {"ann@acme.example", true},
		"inner space":       {"ann example", true},
		"255 bytes":         {strings.Repeat("a", 255), true},
		"empty":             {"", false},
		"256 bytes":         {strings.Repeat("a", 256), false},
		"leading space":     {" s-1", false},
		"trailing newline":  {"s-1\n", false},
		"no-break space":    {"s-1\u00a0", false},
		"control character": {"s\x001", false},
		"C1 control":        {"s\u00851", false},
		"invalid UTF-8":     {"s\xff", false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := identity.CheckSubject(c.subject); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCloneSharesNothing(t *testing.T) {
	i := identity.Identity{
		Traits: map[string]any{"a": "1"}, Groups: []identity.Group{{Name: "g"}}, Links: []identity.Link{{Subject: "s"}},
		Keys: []identity.Key{"k"}, Provenance: []identity.Provenance{{Path: "/a"}}, ExternalIDs: []identity.ExternalID{{ID: "x"}},
		Resources: []identity.Resource{{ID: "r", Groups: []string{"g"}}},
	}
	c := i.Clone()
	c.Traits["a"], c.Groups[0].Name, c.Links[0].Subject, c.Keys[0], c.Provenance[0].Path, c.ExternalIDs[0].ID = "2", "2", "2", "2", "2", "2"
	c.Resources[0].ID, c.Resources[0].Groups[0] = "2", "2"
	if i.Traits["a"] != "1" || i.Groups[0].Name != "g" || i.Links[0].Subject != "s" || i.Keys[0] != "k" || i.Provenance[0].Path != "/a" || i.ExternalIDs[0].ID != "x" ||
		i.Resources[0].ID != "r" || i.Resources[0].Groups[0] != "g" {
		t.Errorf("the clone's changes reached the original: %+v", i)
	}
}

// TestEveryCodeIsInTheTable reads the constants from the source: a code that is
// used and not described would reach people as an empty sentence.
func TestEveryCodeIsInTheTable(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[identity.Code]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 || v.Type == nil || fmt.Sprint(v.Type) != "Code" {
			return true
		}
		if s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value); err == nil {
			declared[identity.Code(s)] = true
		}
		return true
	})
	if len(declared) < 20 {
		t.Fatalf("only %d constants found: the test looks at the wrong place", len(declared))
	}
	numbers := map[int]identity.Code{}
	for _, info := range identity.Codes() {
		if !declared[info.Code] {
			t.Errorf("%s is in the table twice, or no constant", info.Code)
		}
		delete(declared, info.Code)
		if other, taken := numbers[info.Number]; taken || info.Number == 0 {
			t.Errorf("%s and %s share number %d", info.Code, other, info.Number)
		}
		numbers[info.Number] = info.Code
		if info.Text == "" || info.Operator == "" {
			t.Errorf("%s has no text", info.Code)
		}
	}
	for c := range declared {
		t.Errorf("%s is not in the table", c)
	}
}

// TestREADMETable keeps the README's table that of the code; -update (or `make
// generate`) rewrites it.
func TestREADMETable(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- reason codes: begin -->\n", "<!-- reason codes: end -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	var table strings.Builder
	table.WriteString("| code | the person reads | what it means |\n|---|---|---|\n")
	for _, info := range identity.Codes() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", info.Code, info.Text, info.Operator)
	}
	want := head + begin + table.String() + end + tail
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatal("the README's table of reason codes is not the code's: run `make generate`")
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
