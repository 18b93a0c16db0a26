package strictyaml

import "unicode/utf8"

// The library counts columns in characters. Of lines that are not all ASCII it is
// noted once where each character begins: a list of thousands of names may stand
// in one line.

// split takes the text apart into lines.
func (d *document) split() {
	for at, n := 0, 0; n < len(d.lines); n++ {
		text := d.lines[n]
		d.starts = append(d.starts, at)
		at += len(text) + 1
		if utf8.RuneCountInString(text) == len(text) {
			continue
		}
		begins := make([]int, 0, len(text))
		for i := range text {
			begins = append(begins, i)
		}
		if d.wide == nil {
			d.wide = map[int][]int{}
		}
		d.wide[n+1] = begins
	}
}

// from returns the text of a line from a column on; nothing behind its end.
func (d *document) from(line, col int) string {
	line = min(line, len(d.lines))
	text, at := d.lines[line-1], max(col-1, 0)
	if begins, wide := d.wide[line]; wide {
		if at >= len(begins) {
			return ""
		}
		at = begins[at]
	}
	return text[min(at, len(text)):]
}

// width returns how many characters a line has.
func (d *document) width(line int) int {
	line = min(line, len(d.lines))
	if begins, wide := d.wide[line]; wide {
		return len(begins)
	}
	return len(d.lines[line-1])
}

// offset is where in the text a place is, in bytes.
func (d *document) offset(line, col int) int {
	return d.starts[line-1] + len(d.lines[line-1]) - len(d.from(line, col))
}
