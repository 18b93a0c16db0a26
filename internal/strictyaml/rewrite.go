package strictyaml

import (
	"bytes"
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// Edit is one value that is to stand in a file: at a path of keys (string) and
// indices (int) from the root. nil takes the key away. What a path leads through
// has to be there; its last step may be a new key of a mapping.
type Edit struct {
	Path  []any
	Value any // string, bool, int64, float64, []any, map[string]any, nil
}

// Rewrite returns a file with the edits made and everything else as it was:
// order, spaces, comments. What cannot be changed without touching a comment, and
// values in a block (|), are problems, and with any the file is not rewritten.
// Callers decode the result again: it is they who know what it must mean.
func Rewrite(file string, data []byte, edits []Edit) ([]byte, []Problem) {
	d := &document{file: file}
	body, problems := d.parse(data)
	if body == nil {
		return nil, problems
	}
	d.check(body, level{depth: 1})
	if problems = slices.Concat(problems, d.problems, d.refused); len(problems) > 0 {
		return nil, problems
	}
	w := writer{document: d, quotes: path.Ext(file) == ".json"}
	parents := map[string]*members{}
	var order []*members
	for _, e := range edits {
		parent, p := w.resolve(Node{doc: d, node: body}, e.Path)
		if p != nil {
			return nil, []Problem{*p}
		}
		at := parent.Pos()
		name := at.Problemf("").String()
		if parents[name] == nil {
			parents[name] = &members{node: parent, edits: map[string]any{}}
			order = append(order, parents[name])
		}
		parents[name].edits[e.Path[len(e.Path)-1].(string)] = e.Value
	}
	for _, m := range order {
		w.mapping(*m)
	}
	if len(w.problems) > 0 {
		return nil, w.problems
	}
	return w.apply(data)
}

// members are the edits of one mapping, by key.
type members struct {
	node  Node
	edits map[string]any
}

// writer collects what is put in the place of what.
type writer struct {
	*document

	quotes bool // JSON: every string is quoted
	spans  []span
}

// span replaces bytes of the text.
type span struct {
	from, to int
	text     string
}

func (w *writer) resolve(n Node, path []any) (Node, *Problem) {
	for _, step := range path[:len(path)-1] {
		var next Node
		switch step := step.(type) {
		case int:
			if items := n.Items(); step < len(items) {
				next = items[step]
			}
		case string:
			next, _ = n.member(step)
		}
		if next.node == nil {
			p := n.Problemf("there is no %v here", step)
			return n, &p
		}
		n = next
	}
	if n.Kind() != Mapping {
		p := n.Problemf("this is no mapping")
		return n, &p
	}
	return n, nil
}

func (n Node) member(key string) (Node, bool) {
	for _, e := range n.Entries() {
		if e.Key.Value == key {
			return e.Value, true
		}
	}
	return Node{}, false
}

// mapping makes the edits of one mapping.
func (w *writer) mapping(m members) {
	entries := m.node.Entries()
	left := 0
	sets := true // no key comes or goes
	for _, e := range entries {
		if v, edited := m.edits[e.Key.Value]; !edited || v != nil {
			left++
		} else {
			sets = false
		}
	}
	var added []string
	for _, key := range slices.Sorted(maps.Keys(m.edits)) {
		if _, there := m.node.member(key); !there && m.edits[key] != nil {
			added = append(added, key)
		}
	}
	block := m.node.block()
	switch {
	case left+len(added) == 0 && block:
		w.replaceBlock(m.node, "{}")
	case !block && (!sets || len(added) > 0):
		w.flow(m, entries, added)
	default:
		for _, e := range entries {
			if v, edited := m.edits[e.Key.Value]; edited {
				w.member(e, v)
			}
		}
		if len(added) > 0 {
			last := entries[len(entries)-1].Value
			var lines strings.Builder
			for _, key := range added {
				lines.WriteString(strings.Repeat(" ", m.node.Pos().Col-1) + w.format(key) + ": " + w.format(m.edits[key]) + "\n")
			}
			at := w.lineAfter(w.end(last))
			w.spans = append(w.spans, span{at, at, lines.String()})
		}
	}
}

// flow writes a mapping in braces anew, with what stays as it was written.
func (w *writer) flow(m members, entries []Entry[Node], added []string) {
	from, to := w.start(m.node), w.end(m.node)
	if w.commented(from, to) {
		w.problems = append(w.problems, m.node.Problemf("there is a comment in it: change this by hand"))
		return
	}
	var parts []string
	for _, e := range entries {
		switch v, edited := m.edits[e.Key.Value]; {
		case !edited && w.end(e.Value) < 0:
			w.problems = append(w.problems, e.Value.Problemf("this cannot be moved: change it by hand"))
		case !edited:
			parts = append(parts, w.format(e.Key.Value)+": "+w.text[w.start(e.Value):w.end(e.Value)])
		case v != nil:
			parts = append(parts, w.format(e.Key.Value)+": "+w.format(v))
		}
	}
	for _, key := range added {
		parts = append(parts, w.format(key)+": "+w.format(m.edits[key]))
	}
	w.spans = append(w.spans, span{from, to, "{" + strings.Join(parts, ", ") + "}"})
}

// member sets or removes one entry of a mapping, in a block unless it is set.
func (w *writer) member(e Entry[Node], v any) {
	switch list, isList := v.([]any); {
	case v == nil:
		line := w.starts[e.Key.Line-1]
		if strings.TrimLeft(w.text[line:w.offset(e.Key.Line, e.Key.Col)], ` "'`) != "" {
			w.problems = append(w.problems, e.Key.Problemf("something stands before it on its line: take it out by hand"))
			return
		}
		w.spans = append(w.spans, span{line, w.lineAfter(w.end(e.Value)), ""})
	case isList && e.Value.Kind() == List && e.Value.block():
		w.list(e.Value, list)
	case e.Value.block():
		w.replaceBlock(e.Value, w.format(v))
	default:
		w.replace(e.Value, w.format(v))
	}
}

// list makes a list of lines hold these values: lines of others go, new ones
// come last.
func (w *writer) list(n Node, values []any) {
	rest := slices.Clone(values)
	var gone []span
	kept := 0
	for _, item := range n.Items() {
		v, _ := item.value()
		if at := slices.IndexFunc(rest, func(r any) bool { return r == v }); at >= 0 {
			rest = slices.Delete(rest, at, at+1)
			kept++
			continue
		}
		line := w.starts[item.Pos().Line-1]
		if strings.Trim(w.text[line:w.start(item)], " -") != "" {
			w.problems = append(w.problems, item.Problemf("something stands before it on its line: take it out by hand"))
			return
		}
		gone = append(gone, span{line, w.lineAfter(w.end(item)), ""})
	}
	if kept == 0 {
		w.replaceBlock(n, w.format(values))
		return
	}
	dash := strings.Repeat(" ", n.Pos().Col-1) + "- "
	var lines strings.Builder
	for _, v := range rest {
		lines.WriteString(dash + w.format(v) + "\n")
	}
	at := w.lineAfter(w.end(n))
	w.spans = append(append(w.spans, gone...), span{at, at, lines.String()})
}

// replace puts text in the place of a value on its line.
func (w *writer) replace(n Node, text string) {
	from, to := w.start(n), w.end(n)
	if to < 0 {
		w.problems = append(w.problems, n.Problemf("this is written as a block, or over several lines: change it by hand"))
		return
	}
	if w.commented(from, to) {
		w.problems = append(w.problems, n.Problemf("there is a comment in it: change this by hand"))
		return
	}
	w.spans = append(w.spans, span{from, to, text})
}

// replaceBlock puts text behind the key of a value that stands below it.
func (w *writer) replaceBlock(n Node, text string) {
	from := strings.LastIndexByte(strings.TrimRight(w.text[:w.start(n)], " \n-"), ':') + 1
	w.replace(n, text)
	if last := len(w.spans) - 1; last >= 0 && w.spans[last].text == text && from > 0 {
		if w.commented(from, w.spans[last].to) {
			w.problems = append(w.problems, n.Problemf("there is a comment above it: change this by hand"))
		}
		w.spans[last].from, w.spans[last].text = from, " "+text
	}
}

// apply returns the text with all spans replaced, its line ends and byte order
// mark as they were.
func (w *writer) apply(data []byte) ([]byte, []Problem) {
	slices.SortStableFunc(w.spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out strings.Builder
	at := 0
	for _, s := range w.spans {
		if s.from < at || s.to < s.from {
			return nil, []Problem{{File: w.file, Line: 1, Col: 1, Message: "the changes are in each other's way: make them by hand"}}
		}
		out.WriteString(w.text[at:s.from] + s.text)
		at = s.to
	}
	out.WriteString(w.text[at:])
	text := out.String()
	if !bytes.HasSuffix(data, []byte("\n")) {
		text = strings.TrimSuffix(text, "\n")
	}
	if bytes.Contains(data, []byte("\r\n")) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		text = "\ufeff" + text
	}
	return []byte(text), nil
}
