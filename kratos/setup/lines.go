package setup

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// edit makes one change in a text whose lines end as in Unix. Whatever it does
// not say anew, it leaves as it is, to the blank.
func edit(data []byte, c Change) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, errUnread
	}
	var value yaml.Node
	if err := value.Encode(c.Value); err != nil {
		return nil, err
	}
	name := &yaml.Node{Kind: yaml.ScalarNode, Value: c.Path[len(c.Path)-1]}
	if nothing(&doc) { // but comments, perhaps
		if c.Op != Add || len(c.Path) != 1 {
			return nil, errUnsafe
		}
		text, err := render(name, &value, 1)
		if err != nil {
			return nil, err
		}
		return splice([]string{string(data)}, 1, 1, text), nil
	}
	lines := strings.SplitAfter(string(data), "\n")
	at, err := find(doc.Content[0], c.Path, c.Op)
	if err != nil {
		return nil, err
	}
	below := c.Path[at.depth:]
	switch {
	case at.key == nil:
		last := at.mapping.Content[len(at.mapping.Content)-2]
		text, err := render(name, &value, last.Column)
		if err != nil {
			return nil, err
		}
		return splice(lines, end(lines, last), end(lines, last), strings.Repeat(" ", last.Column-1)+text), nil
	case len(below) == 1 && c.Op == Remove: // one of several
		if strings.TrimSpace(lines[at.key.Line-1][:at.key.Column-1]) != "" {
			return nil, errUnsafe
		}
		return splice(lines, at.key.Line-1, end(lines, at.key), ""), nil
	case len(below) > 1 && at.value.Kind == yaml.SequenceNode && at.value.Style&yaml.FlowStyle == 0 && at.value.Anchor == "" && len(at.value.Content) > 0:
		return editElement(lines, at, below[1:], c.Op, &value)
	}
	holder := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{at.key, at.value}}
	if err := change(holder, below, c.Op, &value); err != nil {
		return nil, err
	}
	// What stands above and below these lines is not written again.
	at.key.HeadComment, at.key.FootComment = "", ""
	text, err := render(at.key, holder.Content[1], at.key.Column)
	if err != nil {
		return nil, err
	}
	from := at.key.Line - 1
	before := string([]rune(lines[from])[:at.key.Column-1])
	return splice(lines, from, end(lines, at.key), before+text), nil
}

// nothing reports whether a file says nothing at all.
func nothing(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null" && doc.Content[0].Value == ""
}

// editElement makes a change of one element of a list in block style, or within
// it: the lines of the others stay.
func editElement(lines []string, at spot, path []string, op string, value *yaml.Node) ([]byte, error) {
	list, last := at.value, len(path) == 1
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 || i > len(list.Content) || i == len(list.Content) && !(last && op == Add) {
		return nil, errElement
	}
	if last && op == Add {
		to := at.key.Line // behind its name: comments above the first stay above the first
		if i > 0 {
			if _, to, err = lineOf(lines, list, i-1); err != nil {
				return nil, err
			}
		}
		text, err := renderElement(value, list.Column)
		if err != nil {
			return nil, err
		}
		return splice(lines, to, to, text), nil
	}
	from, to, err := lineOf(lines, list, i)
	if err != nil {
		return nil, err
	}
	switch one := list.Content[i]; {
	case last && op == Remove && len(list.Content) > 1:
		return splice(lines, from, to, ""), nil
	case !last || op == Replace:
		if err := change(list, path, op, value); err != nil {
			return nil, err
		}
		one.HeadComment, one.FootComment = "", "" // these lines stay
		text, err := renderElement(one, list.Column)
		if err != nil {
			return nil, err
		}
		return splice(lines, from, to, text), nil
	}
	before := string([]rune(lines[at.key.Line-1])[:at.key.Column-1])
	text, err := render(at.key, &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}, at.key.Column)
	if err != nil {
		return nil, err
	}
	return splice(lines, at.key.Line-1, to, before+text), nil
}

// lineOf returns the lines of one element of a list: those from its dash on.
func lineOf(lines []string, list *yaml.Node, i int) (from, to int, err error) {
	for from = list.Content[i].Line - 1; !dashed(lines[from], list.Column); from-- {
		if from == 0 {
			return 0, 0, errUnsafe
		}
	}
	return from, deeper(lines, from+1, list.Column), nil
}

// renderElement writes an element, with its dash at a column.
func renderElement(value *yaml.Node, column int) (string, error) {
	text, err := render(&yaml.Node{Kind: yaml.ScalarNode, Value: "x"}, &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}}, 1)
	if err != nil {
		return "", err
	}
	_, text, _ = strings.Cut(text, "\n")
	lines := strings.SplitAfter(text, "\n")
	for n, line := range lines {
		if strings.TrimSpace(line) != "" {
			lines[n] = strings.Repeat(" ", column-1) + strings.TrimPrefix(line, "  ")
		}
	}
	return strings.Join(lines, ""), nil
}

// end returns the index of the line behind the member with this key: its lines
// are those that are indented deeper, or begin a list at its own column.
func end(lines []string, key *yaml.Node) int {
	last := key.Line
	for last < len(lines) {
		next := deeper(lines, last, key.Column)
		at := slices.IndexFunc(lines[next:], said) + next
		if at < next || !dashed(lines[at], key.Column) {
			return next
		}
		last = at + 1
	}
	return last
}

// deeper returns the index of the line behind those from a line on that are
// indented deeper than a column. What is blank at their end, or a comment that is
// no deeper, belongs to what follows.
func deeper(lines []string, from, column int) int {
	last := from
	for i := from; i < len(lines); i++ {
		text := strings.TrimLeft(lines[i], " ")
		switch {
		case len(lines[i])-len(text) >= column && strings.TrimSpace(text) != "":
			last = i + 1
		case said(text):
			return last
		}
	}
	return last
}

// said reports whether a line says something: it is neither blank nor a comment.
func said(line string) bool {
	text := strings.TrimSpace(line)
	return text != "" && text[0] != '#'
}

// dashed reports whether a line begins an element of a list at a column.
func dashed(line string, column int) bool {
	text := strings.TrimLeft(line, " ")
	return len(line)-len(text) == column-1 && (strings.TrimSpace(text) == "-" || strings.HasPrefix(text, "- "))
}

func splice(lines []string, from, to int, text string) []byte {
	if from > 0 && lines[from-1] != "" && !strings.HasSuffix(lines[from-1], "\n") && text != "" {
		lines[from-1] += "\n"
	}
	return []byte(strings.Join(lines[:from], "") + text + strings.Join(lines[to:], ""))
}
