package setup

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// keeps reports whether every comment of a file is in another one as well.
func keeps(before, after []byte) bool {
	left := comments(after)
	for _, c := range comments(before) {
		i := slices.Index(left, c)
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// comments are the lines of all comments.
func comments(data []byte) []string {
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) != nil {
		return nil
	}
	var lines []string
	nodes := []*yaml.Node{&doc}
	for len(nodes) > 0 {
		n := nodes[0]
		nodes = append(nodes[1:], n.Content...)
		for line := range strings.Lines(n.HeadComment + "\n" + n.LineComment + "\n" + n.FootComment) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}
