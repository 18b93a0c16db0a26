//go:build unix

// These tests prove that a command is found wherever the protocol lets it stand,
// that compression is not offered, and that no input makes the parser panic.
package faultproxy_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/test/mongo/faultproxy"
)

// frame puts a header before the parts.
func frame(opcode uint32, parts ...[]byte) []byte {
	m := make([]byte, 16)
	for _, p := range parts {
		m = append(m, p...)
	}
	binary.LittleEndian.PutUint32(m, uint32(len(m)))
	binary.LittleEndian.PutUint32(m[4:], 7)
	binary.LittleEndian.PutUint32(m[12:], opcode)
	return m
}

func number(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func document(t testing.TB, d bson.D) []byte {
	t.Helper()
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func body(t testing.TB, d bson.D) []byte { return append([]byte{0}, document(t, d)...) }

// sequence is a section of documents beside the body.
func sequence(t testing.TB, name string, d bson.D) []byte {
	content := append(append([]byte(name), 0), document(t, d)...)
	return slices.Concat([]byte{1}, number(uint32(len(content)+4)), content)
}

func messages(t testing.TB) map[string][]byte {
	insert := bson.D{{Key: "insert", Value: "people"}, {Key: "$db", Value: "d"}}
	hello := bson.D{{Key: "hello", Value: 1}, {Key: "compression", Value: bson.A{"zlib"}}}
	find := bson.D{{Key: "find", Value: "decoy"}}
	query := slices.Concat(number(4), []byte("admin.$cmd\x00"), number(0), number(^uint32(0)), document(t, hello))
	return map[string][]byte{
		"body only":      frame(2013, number(0), body(t, insert)),
		"sequence first": frame(2013, number(0), sequence(t, "documents", find), body(t, insert)),
		"checksum":       frame(2013, number(1), sequence(t, "documents", find), body(t, insert), number(99)),
		"get more":       frame(2013, number(0), body(t, bson.D{{Key: "getMore", Value: int64(5)}, {Key: "collection", Value: "people"}})),
		"hello":          frame(2013, number(1), body(t, hello), number(99)),
		"hello, as once": frame(2004, query),
	}
}

func TestCommand(t *testing.T) {
	want := map[string][2]string{"get more": {"getMore", "people"}, "hello": {"hello", ""}, "hello, as once": {"hello", ""}}
	for name, m := range messages(t) {
		w, ok := want[name]
		if !ok {
			w = [2]string{"insert", "people"}
		}
		command, collection, err := faultproxy.CommandOf(m)
		if got := [2]string{command, collection}; err != nil || got != w {
			t.Errorf("%s: %q, %v; want %q", name, got, err, w)
		}
	}
}

func TestRefusedMessages(t *testing.T) {
	good := frame(2013, number(0), body(t, bson.D{{Key: "ping", Value: 1}}))
	for name, m := range map[string][]byte{
		"compressed":       frame(2012, number(2013)),
		"unknown opcode":   frame(2002, number(0)),
		"no body":          frame(2013, number(0)),
		"no name":          frame(2013, number(0), body(t, bson.D{})),
		"a third kind":     frame(2013, number(0), []byte{2}),
		"body cut off":     frame(2013, good[16:len(good)-3]),
		"endless section":  frame(2013, number(0), []byte{1}, number(1<<31-1)),
		"body in checksum": frame(2013, number(1), body(t, bson.D{{Key: "ping", Value: 1}})),
		"empty section":    frame(2013, number(0), []byte{1}, number(0)),
		"query, no name":   frame(2004, number(0), []byte("admin")),
	} {
		if command, _, err := faultproxy.CommandOf(m); err == nil {
			t.Errorf("%s: read as %q", name, command)
		}
	}
}

// TestWithoutCompression: the field goes, the rest stays, the length is right,
// and no checksum is promised that would now be wrong.
func TestWithoutCompression(t *testing.T) {
	for name, m := range messages(t) {
		got, err := faultproxy.Without(m, "compression")
		if err != nil {
			t.Fatal(err)
		}
		if name != "hello" && name != "hello, as once" {
			if !slices.Equal(got, m) {
				t.Errorf("%s was changed", name)
			}
			continue
		}
		hello := bson.D{{Key: "hello", Value: 1}}
		want := frame(2013, number(0), body(t, hello))
		if name == "hello, as once" {
			want = frame(2004, number(4), []byte("admin.$cmd\x00"), number(0), number(^uint32(0)), document(t, hello))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s became\n%x, want\n%x", name, got, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		if _, _, err := faultproxy.CommandOf(m); err != nil {
			return
		}
		got, err := faultproxy.Without(m, "compression")
		if err != nil {
			return
		}
		if _, _, err := faultproxy.CommandOf(got); err != nil && len(got) == len(m) {
			t.Errorf("unchanged, and no longer read: %v", err)
		}
	})
}

func TestThrough(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://127.0.0.1:1/": "mongodb://proxy:9/?directConnection=true",
		"mongodb://h":            "mongodb://proxy:9/?directConnection=true",
		"mongodb://u:p%40@a:1,b:2/db?replicaSet=rs&tls=true&w=1": "mongodb://u:p%40@proxy:9/db?directConnection=true&w=1",
		"mongodb+srv://u:p@c.example/?retryWrites=true":          "mongodb://u:p@proxy:9/?directConnection=true&retryWrites=true&authSource=admin",
		"mongodb+srv://u:p@c.example/?authSource=x&ssl=true":     "mongodb://u:p@proxy:9/?directConnection=true&authSource=x",
		"mongodb://h/?directConnection=false&loadBalanced=false": "mongodb://proxy:9/?directConnection=true",
	} {
		if got := faultproxy.Through(uri, "proxy:9"); got != want {
			t.Errorf("%s\n got %s\nwant %s", uri, got, want)
		}
	}
}
