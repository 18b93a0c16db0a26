package convert_test

// A text that would overflow the stack of Jsonnet's parser, which ends the
// program, or keep it busy for minutes, is refused before it is parsed.

import (
	"strings"
	"testing"

	"github.com/jithook/jithook/kratos/convert"
)

func TestBounds(t *testing.T) {
	for name, text := range map[string]string{
		"brackets":           strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000),
		"closed in a string": strings.Repeat(`["`+strings.Repeat("]", 20)+`",`, 2500),
		"signs":              strings.Repeat("!", 60000) + "1",
		"text":               "{} // " + strings.Repeat("x", 64<<10),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := convert.Jsonnet("m.jsonnet", text); err == nil || !strings.Contains(err.Error(), "no simple mapper") {
				t.Errorf("%v", err)
			}
		})
	}
	text := "{ identity: { traits: { n: " + strings.Repeat("!", 900) + strings.Repeat("(", 1000) + "true" + strings.Repeat(")", 1000) + " } } }"
	if _, err := convert.Jsonnet("m.jsonnet", text); err != nil {
		t.Errorf("within the bounds: %v", err)
	}
}
