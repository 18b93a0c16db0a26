package strictyaml_test

// What a file costs grows with its length, however long its lines are.

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/jithook/jithook/internal/strictyaml"
)

func TestLongLines(t *testing.T) {
	for name, c := range map[string]struct{ key, element string }{
		"plain": {"texts", "group-%05d"}, "quoted": {"texts", "'group-%05d'"}, "wide": {"texts", "größe-%05d"}, "mappings": {"values", "{k%d: x}"},
	} {
		t.Run(name, func(t *testing.T) {
			bytes := func(n int) uint64 {
				var list []string
				for i := range n {
					list = append(list, fmt.Sprintf(c.element, i))
				}
				text := []byte(c.key + ": [" + strings.Join(list, ", ") + "]\n")
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				var got struct {
					Texts  []strictyaml.Text `yaml:"texts"`
					Values []any             `yaml:"values"`
				}
				problems := strictyaml.Decode("f.yaml", text, &got)
				runtime.ReadMemStats(&after)
				if len(problems) > 0 || len(got.Texts)+len(got.Values) != n {
					t.Fatalf("%d texts and %d values of %d, %v", len(got.Texts), len(got.Values), n, problems)
				}
				return after.TotalAlloc - before.TotalAlloc
			}
			bytes(10)
			if few, many := bytes(200), bytes(2000); many > 20*few {
				t.Errorf("%d bytes of memory for 200 elements, %d for 2000", few, many)
			}
		})
	}
}
