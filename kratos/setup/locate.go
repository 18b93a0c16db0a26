package setup

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Locate returns where the value at a path, or the last there is on the way to
// it, stands in a file; 0 where the file cannot be read.
func Locate(data []byte, path []string) (line, col int) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) == 0 {
		return 0, 0
	}
	node := doc.Content[0]
	line, col = node.Line, node.Column
	for _, name := range path {
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		switch node.Kind {
		case yaml.MappingNode:
			key, value := member(node, name)
			if key == nil {
				return line, col
			}
			node, line, col = value, key.Line, key.Column
		case yaml.SequenceNode:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(node.Content) {
				return line, col
			}
			node = node.Content[i]
			line, col = node.Line, node.Column
		default:
			return line, col
		}
	}
	return line, col
}
