package exactjson_test

// Values come back as what they were, and what would not is refused.

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/exactjson"
)

func TestRoundTrip(t *testing.T) {
	values := map[string]any{
		"int": int64(3), "whole float": 3.0, "minus zero": math.Copysign(0, -1), "large": 1e21, "int max": int64(math.MaxInt64),
		"tiny": math.SmallestNonzeroFloat64, "null": nil, "text": "a<b\u2028", "a": true, "A": false,
		"list": []any{nil, 1.5, int64(1), map[string]any{"x": 2.0, "X": []any{}}},
	}
	exact, err := exactjson.Encode(values)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(exact)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if err := exactjson.Decode(got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values, got); diff != "" {
		t.Error(diff)
	}
	if !math.Signbit(got["minus zero"].(float64)) {
		t.Error("-0 lost its sign")
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  error
	}{
		"int":      {1, exactjson.ErrValue},
		"infinity": {[]any{math.Inf(1)}, exactjson.ErrValue},
		"bytes":    {map[string]any{"a": []byte("x")}, exactjson.ErrValue},
		"text":     {"\xff", exactjson.ErrText},
		"name":     {map[string]any{"\xff": true}, exactjson.ErrText},
	} {
		if _, err := exactjson.Encode(map[string]any{"a": c.value}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, number := range []json.Number{"9223372036854775808", "1e400"} {
		if err := exactjson.Decode(map[string]any{"a": []any{number}}); !errors.Is(err, exactjson.ErrValue) {
			t.Errorf("%s: %v", number, err)
		}
	}
}
