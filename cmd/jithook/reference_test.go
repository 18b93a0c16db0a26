package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var updateReference = flag.Bool("update-reference", false, "rewrite docs/reference.md")

// TestReferenceIsFresh: the page names every key of both files, as this version
// takes them.
func TestReferenceIsFresh(t *testing.T) {
	const path = "../../docs/reference.md"
	want := reference(t)
	if *updateReference {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the files' types say (%v): run `make generate`", path, err)
	}
	for _, row := range []string{
		"| `jit.attribute_sync` | `override_all`, `preserve_local` or `none` |", "| **`provider`** | text |", "| `outbound.NAME.scim.groups` | `known`, `create` or `none` |",
		"| `log.level` | `debug`, `info`, `warn` or `error` |", "| `shadow.sample` | number |", "| `decisions.retention` | duration |",
	} {
		if !bytes.Contains(want, []byte(row)) {
			t.Errorf("the page lacks %s", row)
		}
	}
}

// reference is the page, from the files' JSON Schemas.
func reference(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(`# Every key of every file

<!-- Generated from the types that read the files: change their tags, and run make generate. -->

A key in **bold** has to be there. NAME stands for a name of your own, ` + "`[]`" + ` for each entry of a list. A duration is a number and a unit: ` +
		"`90s`, `15m`, `24h`, `30d`" + `. A secret is ` + "`env:NAME` or `file:PATH`" + `.

The README shows both files as a whole, with a remark on each line ([configuration](../README.md#configuration), [providers' files](../README.md#providers-files));
what the values do stands in [policy.md](policy.md), sentence by sentence. An editor completes the keys with ` + "`jithook schema`" + `.
`)
	for _, file := range []struct{ title, schema string }{{"A provider's file", "provider"}, {"The server's configuration, `jithook.yaml`", "config"}} {
		var schema map[string]any
		if err := json.Unmarshal(printed(t, "schema", file.schema), &schema); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n## %s\n\n| key | value | |\n|---|---|---|\n", file.title)
		rows(&b, "", schema)
	}
	return b.Bytes()
}

// rows writes the keys of an object, each followed by those within it.
func rows(b *bytes.Buffer, prefix string, object map[string]any) {
	properties, _ := object["properties"].(map[string]any)
	required, _ := object["required"].([]any)
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		s := properties[key].(map[string]any)
		name := "`" + prefix + key + "`"
		if slices.Contains(required, any(key)) {
			name = "**" + name + "**"
		}
		description, _ := s["description"].(string)
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, strings.ReplaceAll(takes(s), "|", `\|`), strings.ReplaceAll(sentence(description), "|", `\|`))
		below(b, prefix+key, s)
	}
}

// below writes the keys within a value.
func below(b *bytes.Buffer, at string, s map[string]any) {
	if s["properties"] != nil {
		rows(b, at+".", s)
	}
	if each, ok := s["additionalProperties"].(map[string]any); ok {
		below(b, at+".NAME", each)
	}
	if items, ok := s["items"].(map[string]any); ok {
		below(b, at+"[]", items)
	}
	for _, one := range kindsOf(s) {
		if one["properties"] != nil {
			below(b, at, one)
		}
	}
}

// takes says what a key takes.
func takes(s map[string]any) string {
	if words, ok := s["enum"].([]any); ok {
		return either(words)
	}
	if kinds := kindsOf(s); len(kinds) > 0 {
		if kinds[0]["const"] == 0.0 {
			return "duration"
		}
		if len(kinds) == 2 && kinds[1]["type"] == "array" {
			return takes(kinds[0]) + ", or a list of them"
		}
		var all []string
		for _, k := range kinds {
			all = append(all, takes(k))
		}
		return strings.Join(all, ", or ")
	}
	switch kind := s["type"].(type) {
	case string:
		switch each, isMap := s["additionalProperties"].(map[string]any); {
		case isMap:
			return "for each NAME: " + takes(each)
		case kind == "object":
			return "keys"
		case kind == "array":
			items, _ := s["items"].(map[string]any)
			return "list of " + takes(items)
		case kind == "string":
			return "text"
		}
		return kind
	case []any:
		if slices.Contains(kind, any("object")) {
			return "any value"
		}
		return "text"
	}
	return "any value"
}

// either lists the words of an enum: of those that mean the same, our own.
func either(words []any) string {
	var all, others []string
	for _, w := range words {
		text, ok := w.(string)
		switch {
		case ok && strings.ToUpper(text) == text && text != "1":
			others = append(others, "`"+text+"`")
		case ok:
			all = append(all, "`"+text+"`")
		}
	}
	if len(all) == 0 || strings.Contains(strings.Join(others, ""), "256") {
		all = append(all, others...)
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// sentence is a description that begins and ends like one.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if !strings.HasPrefix(s, "env:") && !strings.HasPrefix(s, "jithook") {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if strings.ContainsAny(s[len(s)-1:], ".?") {
		return s
	}
	return s + "."
}

// kindsOf are the schemas of which a value has to fit one.
func kindsOf(s map[string]any) []map[string]any {
	var out []map[string]any
	all, _ := s["anyOf"].([]any)
	for _, one := range all {
		out = append(out, one.(map[string]any))
	}
	return out
}
