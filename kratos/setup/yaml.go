package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	errUnread  = errors.New("it is no YAML that can be read") // the library quotes what it read
	errElement = errors.New("the list has no such element")
	errUnsafe  = errors.New("the file is written in a way that cannot be edited safely (an alias, perhaps)")
	// errByHand ends every error of Edit.
	errByHand = errors.New("merge what `jithook kratos config` prints by hand")
)

var lineOfError = regexp.MustCompile(`\bline ([0-9]+)`)

// unread is errUnread with the line that the library names, or one beside it.
func unread(err error) error {
	if found := lineOfError.FindStringSubmatch(err.Error()); found != nil {
		return fmt.Errorf("near line %s: %w", found[1], errUnread)
	}
	return errUnread
}

// ReadYAML returns a configuration of Kratos that is written in YAML.
func ReadYAML(data []byte) (map[string]any, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var config, more any
	if err := d.Decode(&config); err != nil && !errors.Is(err, io.EOF) {
		return nil, unread(err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("it holds more than one document")
	}
	if config == nil { // an empty file is a configuration of nothing
		return map[string]any{}, nil
	}
	tree, err := plain(config)
	if err != nil {
		return nil, err
	}
	root, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("it is no mapping")
	}
	return root, nil
}

// Edit makes changes in a YAML file. Only the lines of what changes are written
// anew, and end as the file's do; comments stay. The new text is read again: if it does not say exactly
// what it should, or a comment that was not within something removed is gone,
// there is an error and no text.
func Edit(data []byte, changes []Change) ([]byte, error) {
	want, err := ReadYAML(data)
	if err != nil {
		return nil, err
	}
	// YAML ends a line at these, and the lines here would not be its.
	if bytes.ContainsAny(bytes.ReplaceAll(data, []byte("\r\n"), nil), "\r\u0085\u2028\u2029") {
		return nil, fmt.Errorf("%w: %w", errUnsafe, errByHand)
	}
	text, ends := data, []byte("\r\n")
	dos := bytes.Contains(data, ends) && bytes.Count(data, ends) == bytes.Count(data, []byte("\n"))
	if dos {
		text = bytes.ReplaceAll(data, ends, []byte("\n"))
	}
	for _, c := range changes {
		before := text
		if text, err = editAll(text, steps(want, c)); err == nil && c.Op != Remove && !keeps(before, text) {
			err = errors.New("a comment would be lost")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", dotted(c.Path), err, errByHand)
		}
		if want, err = apply(want, c); err != nil {
			return nil, err
		}
	}
	if dos {
		text = bytes.ReplaceAll(text, []byte("\n"), ends)
	}
	got, err := ReadYAML(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		return nil, fmt.Errorf("%w: %w", errUnsafe, errByHand)
	}
	return text, nil
}

func editAll(text []byte, changes []Change) ([]byte, error) {
	for _, c := range changes {
		var err error
		if text, err = edit(text, c); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// steps are the smallest changes that make up one: of a mapping that becomes
// another, only what differs.
func steps(tree map[string]any, c Change) []Change {
	value, err := plain(c.Value)
	if err != nil || c.Op != Replace {
		return []Change{c} // it is refused, where it cannot be written
	}
	return between(At(tree, c.Path...), value, c.Path)
}

func between(had, want any, path []string) []Change {
	h, hok := had.(map[string]any)
	w, wok := want.(map[string]any)
	switch {
	case reflect.DeepEqual(had, want):
		return nil
	case !hok || !wok || len(h) == 0:
		return []Change{{Op: Replace, Path: path, Value: want}}
	}
	var found, gone []Change
	for _, name := range members(w) {
		below := append(slices.Clone(path), name)
		if value, there := h[name]; there {
			found = append(found, between(value, w[name], below)...)
		} else {
			found = append(found, Change{Op: Add, Path: below, Value: w[name]})
		}
	}
	for _, name := range members(h) {
		if _, stays := w[name]; !stays {
			gone = append(gone, Change{Op: Remove, Path: append(slices.Clone(path), name)})
		}
	}
	return append(found, gone...) // so that no mapping is empty in between
}

// spot is a member of a mapping in block style: the smallest thing that can be
// written anew on lines of its own.
type spot struct {
	mapping    *yaml.Node
	key, value *yaml.Node // nil: the member is not there yet
	depth      int        // of the mapping, in the path of the change
}

// find returns the smallest member of a block mapping within which the change
// is.
func find(root *yaml.Node, path []string, op string) (spot, error) {
	var found spot
	node := root
	for n, name := range path {
		switch {
		case node.Kind == yaml.AliasNode || node.Anchor != "":
			return spot{}, errUnsafe
		case node.Kind == yaml.MappingNode:
			key, value := member(node, name)
			last := n == len(path)-1
			switch {
			case node.Style&yaml.FlowStyle != 0 || len(node.Content) == 0:
				// written anew with what holds it
			case key == nil && last:
				return spot{mapping: node}, nil
			case key != nil && !(last && op == Remove && len(node.Content) == 2):
				found = spot{node, key, value, n}
			}
			if key == nil || last {
				return found.orNone()
			}
			node = value
		case node.Kind == yaml.SequenceNode:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(node.Content) || node.Style&yaml.FlowStyle != 0 {
				return found.orNone()
			}
			node = node.Content[i]
		default:
			return found.orNone()
		}
	}
	return found.orNone()
}

func (s spot) orNone() (spot, error) {
	if s.key == nil {
		return spot{}, errors.New("the file is written in braces")
	}
	return s, nil
}

func member(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// change makes a change below a node. A null that gets members becomes what they
// need.
func change(node *yaml.Node, path []string, op string, value *yaml.Node) error {
	if node == nil || node.Kind == yaml.AliasNode || node.Anchor != "" {
		return errUnsafe
	}
	name, last := path[0], len(path) == 1
	switch node.Kind {
	case yaml.MappingNode:
		key, below := member(node, name)
		switch {
		case op == Remove && key == nil:
			return errUnsafe // it comes from elsewhere, as with <<
		case last && op == Remove:
			i := slices.Index(node.Content, key)
			node.Content = slices.Delete(node.Content, i, i+2)
		case last && key == nil:
			node.Style &^= yaml.FlowStyle
			node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, value)
		case last:
			merge(below, value)
		default:
			return change(below, path[1:], op, value)
		}
		return nil
	case yaml.SequenceNode:
		i, err := strconv.Atoi(name)
		if err != nil || i > len(node.Content) || i == len(node.Content) && !(last && op == Add) {
			return errElement
		}
		switch {
		case last && op == Remove:
			node.Content = slices.Delete(node.Content, i, i+1)
		case last && op == Add:
			node.Style &^= yaml.FlowStyle
			node.Content = slices.Insert(node.Content, i, value)
		case last:
			merge(node.Content[i], value)
		default:
			return change(node.Content[i], path[1:], op, value)
		}
		return nil
	}
	return errors.New("the configuration has neither a mapping nor a list above it")
}

// merge makes a node say what another one says, and leaves its comments and, as
// far as they are the same, its members where they are.
func merge(node, value *yaml.Node) {
	if node.Kind != yaml.MappingNode || value.Kind != yaml.MappingNode {
		value.HeadComment, value.LineComment, value.FootComment = node.HeadComment, node.LineComment, node.FootComment
		*node = *value
		return
	}
	var kept []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		if _, now := member(value, node.Content[i].Value); now != nil {
			merge(node.Content[i+1], now)
			kept = append(kept, node.Content[i], node.Content[i+1])
		}
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		if key, _ := member(node, value.Content[i].Value); key == nil {
			kept = append(kept, value.Content[i], value.Content[i+1])
		}
	}
	node.Content = kept
}

// render writes a member, whose first line is to stand at a column already.
func render(key, value *yaml.Node, column int) (string, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}}), e.Close()); err != nil {
		return "", err
	}
	lines := strings.SplitAfter(b.String(), "\n")
	for i := 1; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) != "" {
			lines[i] = strings.Repeat(" ", column-1) + lines[i]
		}
	}
	return strings.Join(lines, ""), nil
}
