package strictyaml_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/strictyaml"
)

// TestComments: what is a comment, and which lines it is about.
func TestComments(t *testing.T) {
	const file = `# first

a: "no # comment" # behind
# above
# and above
b: |
  text # no comment
  more
c:
  - x # of an element
  # above a block
  - >- # at its header
    folded

d: 'x' # last
#`
	type comment struct {
		text      string
		line, col int
		from, to  int
	}
	want := []comment{
		{"first", 1, 1, 3, 3}, {"behind", 3, 19, 3, 3}, {"above", 4, 1, 6, 8}, {"and above", 5, 1, 6, 8},
		{"of an element", 10, 7, 10, 10}, {"above a block", 11, 3, 12, 14}, {"at its header", 12, 8, 12, 14}, {"last", 15, 8, 15, 15}, {"", 16, 1, 16, 16},
	}
	var got []comment
	for _, c := range strictyaml.Comments("f.yaml", []byte(file)) {
		got = append(got, comment{c.Text.Value, c.Text.Line, c.Text.Col, c.From, c.To})
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(comment{})); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
}
