// These tests prove that the decoder takes what encoding/json takes where no two
// readers could differ, refuses the rest with the place and without repeating a
// value, and takes little memory to refuse, whatever the document.
package strictjson_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/strictjson"
)

type doc struct {
	Version int            `json:"version"`
	Subject string         `json:"sub,omitempty"`
	On      bool           `json:"on"`
	Small   int8           `json:"small"`
	Count   uint8          `json:"count"`
	Total   uint64         `json:"total"`
	Ratio   float64        `json:"ratio"`
	Narrow  float32        `json:"narrow"`
	At      time.Time      `json:"at"`
	Claims  map[string]any `json:"claims"`
	Any     any            `json:"any"`
	Names   []string       `json:"names"`
	Inner   inner          `json:"inner"`
	Pointer *inner         `json:"pointer"`
	List    []inner        `json:"list"`
	Counts  map[string]int `json:"counts"`
	Bytes   [2]int         `json:"array"`
	Hidden  string         `json:"-"`
	Plain   string
	private string
}

type inner struct {
	ID string `json:"id"`
}

func TestUnmarshal(t *testing.T) {
	const in = ` {"version":1,"sub":"é\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t","on":true,"small":-128,"count":255,
		"ratio":2,"narrow":1.5,"at":"2026-11-24T10:00:00.5+01:00","claims":{"a":null,"b":{"c":null}},
		"any":[0,-0,9223372036854775807,-9223372036854775808,9223372036854775808,1.0,1e3,-1.5E-2,"",{},[],false],
		"names":["a"],"inner":{"id":"i"},"pointer":{"id":null},"list":[{"id":"l"},{}],"counts":{"x":1},"Plain":"p"}` + "\r\n\t"
	got := doc{Hidden: "kept", private: "kept", Inner: inner{ID: "old"}}
	if err := strictjson.Unmarshal([]byte(in), &got); err != nil {
		t.Fatal(err)
	}
	want := doc{
		Version: 1, Subject: "éé😀\"\\/\b\f\n\r\t", On: true, Small: -128, Count: 255, Ratio: 2, Narrow: 1.5,
		At:     time.Date(2026, 11, 24, 9, 0, 0, 5e8, time.UTC),
		Claims: map[string]any{"b": map[string]any{}},
		Any: []any{int64(0), int64(0), int64(math.MaxInt64), int64(math.MinInt64), "9223372036854775808", 1.0, 1000.0, -0.015, "",
			map[string]any{}, []any{}, false},
		Names: []string{"a"}, Inner: inner{ID: "i"}, Pointer: &inner{}, List: []inner{{ID: "l"}, {}},
		Counts: map[string]int{"x": 1}, Hidden: "kept", Plain: "p", private: "kept",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(doc{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// Whatever a nullable member of a caller is, leaving it out means the same.
func TestNullIsAbsent(t *testing.T) {
	got := doc{Version: 7, Inner: inner{ID: "old"}}
	if err := strictjson.Unmarshal([]byte(`{"version":null,"inner":{"id":null},"at":null,"pointer":null,"names":null,"any":null}`), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc{Version: 7, Inner: inner{ID: "old"}}, got, cmp.AllowUnexported(doc{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// Where null is a word of its own, it is told from what is left out.
func TestNullInAMapOfPointers(t *testing.T) {
	var got struct {
		Traits map[string]*any `json:"traits"`
	}
	if err := strictjson.Unmarshal([]byte(`{"traits":{"gone":null,"set":{"a":null,"b":1}}}`), &got); err != nil {
		t.Fatal(err)
	}
	set := any(map[string]any{"b": int64(1)})
	if diff := cmp.Diff(map[string]*any{"gone": nil, "set": &set}, got.Traits); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	const secret = "s3cr3t"
	for name, c := range map[string]struct{ in, place, message string }{
		"empty":                 {"", "byte 0", "the document is empty, want JSON"},
		"white space":           {" \n", "byte 2", "the document is empty, want JSON"},
		"null":                  {"null", "", "the document is null"},
		"byte order mark":       {"\ufeff{}", "byte 0", "want a JSON value"},
		"trailing data":         {`{} {}`, "byte 3", "there is more after the end of the document"},
		"trailing comma":        {`{"sub":"s3cr3t",}`, "byte 16", "want a member's name in double quotes"},
		"list's trailing comma": {`{"names":["a",]}`, "byte 14", "want a JSON value"},
		"no object":             {`["s3cr3t"]`, "", "want an object, not a list"},
		"cut off":               {`{"claims":{"a":`, "byte 15", "the document ends in the middle"},
		"cut in a string":       {`{"sub":"s3cr3t`, "byte 14", "a string does not end"},
		"cut in an escape":      {`{"sub":"s3cr3t\`, "byte 14", "a string has an unknown escape sequence"},
		"comment":               {`{/**/}`, "byte 1", "want a member's name in double quotes"},
		"single quotes":         {`{'sub':1}`, "byte 1", "want a member's name in double quotes"},
		"no colon":              {`{"sub" "s3cr3t"}`, "byte 7", "want a colon after a member's name"},
		"no comma":              {`{"names":["a" "b"]}`, "byte 14", "want a comma or ] after a list's element"},
		"no comma in an object": {`{"version":1 "sub":""}`, "byte 13", "want a comma or } after an object's member"},
		"unknown field":         {`{"nope":"s3cr3t"}`, "/nope", "unknown field"},
		"inner unknown field":   {`{"list":[{},{"x":"s3cr3t"}]}`, "/list/1/x", "unknown field"},
		"hidden field":          {`{"Hidden":"s3cr3t"}`, "/Hidden", "unknown field"},
		"private field":         {`{"private":"s3cr3t"}`, "/private", "unknown field"},
		"duplicate":             {`{"sub":"a","sub":"s3cr3t"}`, "/sub", "the same name stands twice in one object"},
		"duplicate by escape":   {`{"sub":"a","s\u0075b":"s3cr3t"}`, "/sub", "the same name stands twice in one object"},
		"duplicate of a null":   {`{"sub":null,"sub":"s3cr3t"}`, "/sub", "the same name stands twice in one object"},
		"deep duplicate":        {`{"claims":{"a":[{"k":1,"k":2}]}}`, "/claims/a/0/k", "the same name stands twice in one object"},
		"folds to a field":      {`{"Sub":"s3cr3t"}`, "/Sub", `the name differs from "sub" only in letter case`},
		"long s folds":          {`{"ſub":"s3cr3t"}`, "/ſub", `the name differs from "sub" only in letter case`},
		"Kelvin folds":          {`{"claims":{"token":1,"to\u212aen":2}}`, "/claims/to\u212aen", `the name differs from "token" only in letter case`},
		"folds to another":      {`{"claims":{"email":"a","Email":"s3cr3t"}}`, "/claims/Email", `the name differs from "email" only in letter case`},
		"folded null":           {`{"claims":{"email":"a","EMAIL":null}}`, "/claims/EMAIL", `the name differs from "email" only in letter case`},
		"null in a list":        {`{"names":["a",null]}`, "/names/1", "a list has no place for null"},
		"bad UTF-8":             {"{\"sub\":\"s3\xffcr3t\"}", "byte 10", "the text is not valid UTF-8"},
		"bad UTF-8 in a name":   {"{\"\xc0\xaf\":1}", "byte 2", "the text is not valid UTF-8"},
		"surrogate in UTF-8":    {"{\"sub\":\"\xed\xa0\x80\"}", "byte 8", "the text is not valid UTF-8"},
		"lone high surrogate":   {`{"sub":"\ud800"}`, "byte 8", "a string has half of a surrogate pair"},
		"lone low surrogate":    {`{"sub":"\udc00"}`, "byte 8", "a string has half of a surrogate pair"},
		"two high surrogates":   {`{"sub":"\ud800\ud800"}`, "byte 8", "a string has half of a surrogate pair"},
		"surrogate, then text":  {`{"sub":"\ud800x"}`, "byte 8", "a string has half of a surrogate pair"},
		"NUL":                   {`{"sub":"a\u0000b"}`, "byte 9", "a string has the character NUL"},
		"raw control character": {"{\"sub\":\"a\nb\"}", "byte 9", "a string has a control character that is not escaped"},
		"bad escape":            {`{"sub":"\x41"}`, "byte 8", "a string has an unknown escape sequence"},
		"short unicode escape":  {`{"sub":"\u12"}`, "byte 8", "want four hexadecimal digits after \\u"},
		"signed unicode escape": {`{"sub":"\u+123"}`, "byte 8", "want four hexadecimal digits after \\u"},
		"leading zero":          {`{"version":01}`, "byte 13", "a number is malformed"},
		"no digits":             {`{"version":-}`, "byte 12", "a number is malformed"},
		"no fraction":           {`{"ratio":1.}`, "byte 11", "a number is malformed"},
		"no exponent":           {`{"ratio":1e}`, "byte 11", "a number is malformed"},
		"hexadecimal":           {`{"version":0x1}`, "byte 12", "want a comma or } after an object's member"},
		"NaN":                   {`{"ratio":NaN}`, "byte 9", "want a JSON value"},
		"infinite":              {`{"any":[1e999]}`, "/any/0", "the number is too large"},
		"too large for float32": {`{"narrow":1e300}`, "/narrow", "the number is out of range"},
		"too large for int8":    {`{"small":128}`, "/small", "the number is out of range"},
		"negative for uint8":    {`{"count":-1}`, "/count", "the number is out of range"},
		"negative for uint64":   {`{"total":-1}`, "/total", "the number is out of range"},
		"too large for int":     {`{"version":9223372036854775808}`, "/version", "the number is out of range"},
		"big integer as string": {`{"sub":99999999999999999999}`, "/sub", "want a string, not an integer"},
		"fraction for int":      {`{"version":1.0}`, "/version", "want an integer, not a number with a fraction or an exponent"},
		"string for int":        {`{"version":"s3cr3t"}`, "/version", "want an integer, not a string"},
		"string for float":      {`{"ratio":"s3cr3t"}`, "/ratio", "want a number, not a string"},
		"int for string":        {`{"sub":5}`, "/sub", "want a string, not an integer"},
		"string for bool":       {`{"on":"true"}`, "/on", "want true or false, not a string"},
		"bool for string":       {`{"names":[true]}`, "/names/0", "want a string, not true or false"},
		"string for list":       {`{"names":"s3cr3t"}`, "/names", "want a list, not a string"},
		"list for map":          {`{"claims":[]}`, "/claims", "want an object, not a list"},
		"string for struct":     {`{"pointer":"s3cr3t"}`, "/pointer", "want an object, not a string"},
		"string in a typed map": {`{"counts":{"a/b~":"s3cr3t"}}`, "/counts/a~1b~0", "want an integer, not a string"},
		"object for time":       {`{"at":{}}`, "/at", "want a time (RFC 3339), not an object"},
		"no time":               {`{"at":"s3cr3t"}`, "/at", "want a time (RFC 3339), such as 2026-01-31T12:00:00Z"},
		"time without a zone":   {`{"at":"2026-01-31T12:00:00"}`, "/at", "want a time (RFC 3339), such as 2026-01-31T12:00:00Z"},
		"time with a comma":     {`{"at":"2026-01-31T12:00:00,5Z"}`, "/at", "want a time (RFC 3339), such as 2026-01-31T12:00:00Z"},
		"unsupported Go type":   {`{"array":[1,2]}`, "/array", "want what this version cannot decode (array), not a list"},
		"unprintable name":      {`{"a\u0001\u202e":"s3cr3t"}`, `/a\x01\u202e`, "unknown field"},
		"long name is cut":      {`{"` + strings.Repeat("é", 200) + `":1}`, "/" + strings.Repeat("é", 64) + "…", "unknown field"},
		"name too long":         {`{"` + strings.Repeat("a", 1025) + `":1}`, "byte 1", "a member's name is longer than 1024 bytes"},
		"too deep":              {`{"any":` + strings.Repeat("[", 64), "byte 70", "objects and lists nest deeper than 64"},
		"too deep with objects": {strings.Repeat(`{"a":`, 65), "byte 320", "objects and lists nest deeper than 64"},
		"too many values":       {`{"any":[` + strings.Repeat("1,", 1<<14) + `1]}`, "byte 32772", "the document has more than 16384 values"},
		"too long":              {`{}` + strings.Repeat(" ", 1<<20), "", "the document is longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			before := doc{Version: 3, Subject: "before", Claims: map[string]any{"x": true}}
			got := before
			err := strictjson.Decode(strings.NewReader(c.in), &got)
			var e *strictjson.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want an *Error", err)
			}
			if diff := cmp.Diff(strictjson.Error{Place: c.place, Message: c.message}, *e); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error %q contains a value", err)
			}
			if diff := cmp.Diff(before, got, cmp.AllowUnexported(doc{})); diff != "" {
				t.Errorf("the target has changed:\n%s", diff)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	for want, e := range map[string]strictjson.Error{
		"/a/b: bad": {Place: "/a/b", Message: "bad"},
		"bad":       {Message: "bad"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%#v reads %q, want %q", e, got, want)
		}
	}
}

func TestTargets(t *testing.T) {
	var m map[string]any
	if err := strictjson.Unmarshal([]byte(`{"Sub":1,"b":null}`), &m); err != nil || !cmp.Equal(m, map[string]any{"Sub": int64(1)}) {
		t.Errorf("map: %#v, %v", m, err)
	}
	var v any
	if err := strictjson.Unmarshal([]byte(`[123456789012345678901]`), &v); err != nil || !cmp.Equal(v, any([]any{"123456789012345678901"})) {
		t.Errorf("any: %#v, %v", v, err)
	}
	for name, target := range map[string]any{"nil": nil, "value": doc{}, "nil pointer": (*doc)(nil)} {
		if err := strictjson.Unmarshal([]byte(`{}`), target); err == nil {
			t.Errorf("%s is taken for a target", name)
		}
	}
}

func TestDepthAllowed(t *testing.T) {
	var v any
	in := strings.Repeat("[", strictjson.MaxDepth) + strings.Repeat("]", strictjson.MaxDepth)
	if err := strictjson.Unmarshal([]byte(in), &v); err != nil {
		t.Error(err)
	}
	// Depth is about nesting, not about how many there are.
	if err := strictjson.Unmarshal([]byte("["+strings.Repeat("[],", 1000)+"[]]"), &v); err != nil {
		t.Error(err)
	}
}

func TestReaderErrors(t *testing.T) {
	for name, limit := range map[string]int64{"small": 3, "ours": strictjson.MaxBytes} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"a":"`+strings.Repeat("x", int(limit))+`"}`))
			var tooLong *http.MaxBytesError
			err := strictjson.Decode(http.MaxBytesReader(httptest.NewRecorder(), r.Body, limit), new(any))
			if !errors.As(err, &tooLong) || tooLong.Limit != limit {
				t.Errorf("error %v, want an *http.MaxBytesError of %d", err, limit)
			}
		})
	}
}

// bombs are documents of a megabyte that are refused.
var bombs = map[string]string{
	"S12 lists":   strings.Repeat("[", strictjson.MaxBytes),
	"S12 objects": strings.Repeat(`{"a":`, strictjson.MaxBytes/5),
	"values":      "[" + strings.Repeat("0,", strictjson.MaxBytes/2-1),
	"names":       "{" + strings.Repeat(`"a":0,`, strictjson.MaxBytes/6-1),
}

// A bomb is refused before much is made of it: that takes two megabytes of memory at
// most. BenchmarkBombs says how long it takes.
func TestBombs(t *testing.T) {
	for _, name := range []string{"S12 lists", "S12 objects", "values", "names"} {
		t.Run(name, func(t *testing.T) {
			data := []byte(bombs[name])
			if len(data) < strictjson.MaxBytes-10 {
				t.Fatalf("%d bytes are no bomb", len(data))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := strictjson.Unmarshal(data, new(any)); err == nil {
				t.Fatal("accepted")
			}
			runtime.ReadMemStats(&after)
			if made := after.TotalAlloc - before.TotalAlloc; made > 2<<20 {
				t.Errorf("%d bytes of memory were taken to refuse it", made)
			}
		})
	}
}

// BenchmarkBombs: threat S12 allows ten milliseconds.
func BenchmarkBombs(b *testing.B) {
	for name, in := range bombs {
		b.Run(name, func(b *testing.B) {
			data := []byte(in)
			for b.Loop() {
				_ = strictjson.Unmarshal(data, new(any)) // TestBombs looks at the error
			}
		})
	}
}

// FuzzDecode: no panic; what is accepted, encoding/json accepts and reads the
// same; encoded again it is accepted and the same.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"version":1,"sub":"a","claims":{"email":"a@b.example","email_verified":true,"groups":["x"]}}`,
		`{"a":null,"b":[1,-0,1.5,1e3,12345678901234567890,"\ud83d\ude00","\u2028"],"c":{}}`,
		`1e20`, `{"sub":"a","ſub":"b"}`, `{"a":1,"a":2}`, `[[[[]]]]`, `"x"`, `-0.0e-0`, "{\"\xff\":1}", `{"a":"\ud800"}`, `[null]`, ` {} x`,
		`{"inner":{"id":"x"},"list":[{"id":"y"}],"at":"2026-01-31T12:00:00Z"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var into doc
		if err := strictjson.Unmarshal(data, &into); err == nil {
			var theirs doc
			if err := json.Unmarshal(data, &theirs); err != nil {
				t.Errorf("decoded into a struct, but encoding/json: %v", err)
			}
		}
		var got, theirs, again any
		if err := strictjson.Unmarshal(data, &got); err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(data)))
		d.UseNumber()
		if err := d.Decode(&theirs); err != nil {
			t.Fatalf("accepted, but encoding/json: %v", err)
		}
		if diff := cmp.Diff(number(withoutNulls(theirs)), number(got)); diff != "" {
			t.Errorf("encoding/json reads it differently (-it +we):\n%s", diff)
		}
		out, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		if err := strictjson.Unmarshal(out, &again); err != nil {
			t.Fatalf("encoded again as %q, refused: %v", out, err)
		}
		if diff := cmp.Diff(number(got), number(again)); diff != "" {
			t.Errorf("differs after a round trip:\n%s", diff)
		}
	})
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	case map[string]any:
		for k := range v {
			if v[k] == nil {
				delete(v, k)
				continue
			}
			v[k] = withoutNulls(v[k])
		}
	}
	return v
}

// number makes numbers comparable: 1.0 is 1 once encoded, and an integer beyond
// int64 is its digits.
func number(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return float64(n)
		}
		if !strings.ContainsAny(v.String(), ".eE") {
			return v.String()
		}
		f, _ := v.Float64()
		return number(f)
	case int64:
		return float64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) >= 1<<63 && math.Abs(v) < 1e21 {
			return strconv.FormatFloat(v, 'f', -1, 64) // as encoding/json writes it
		}
		return v + 0 // not -0, which an integer cannot be
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = number(v[i])
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for k := range v {
			object[k] = number(v[k])
		}
		return object
	}
	return v
}
