// These benchmarks are the mapping's share of a login: the ordinary one, and
// one with as many groups as are looked at.
package mapper_test

import (
	"fmt"
	"testing"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
)

func BenchmarkL4_Map(b *testing.B) {
	m := newMapping(b, []byte(fuzzed))
	for _, groups := range []int{3, 100, mapper.MaxGroups} {
		list := make([]any, groups)
		for i := range list {
			list[i] = fmt.Sprintf("group-%05d", i)
		}
		v := expr.Vars{Claims: map[string]any{
			"email": "Ada@Acme.Example", "email_verified": true, "username": "AdaL",
			"address": map[string]any{"country": "GB"}, "groups": list,
		}}
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Map(b.Context(), v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
