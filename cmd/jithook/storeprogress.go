package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress shows on a terminal how far a command has come. Elsewhere, and
// beside JSON, it shows nothing.
type progress struct {
	w     io.Writer // nil where nothing is shown
	label string
	unit  string
	total int64 // 0 where it is not known
	began time.Time
	drawn time.Time
}

// drawEvery is how often the line is drawn again.
const drawEvery = 100 * time.Millisecond

// barWidth is the length of the bar, in characters: the line stays below 80.
const barWidth = 24

// clearLine brings the cursor back and erases the line (ECMA-48).
const clearLine = "\r\x1b[K"

func newProgress(w io.Writer, out format, label, unit string) *progress {
	p := &progress{label: label, unit: unit, began: time.Now()}
	if f, ok := w.(*os.File); ok && !out.json {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.w = w
		}
	}
	return p
}

// to draws the line, but not too often.
func (p *progress) to(n int64) {
	now := time.Now()
	if p.w == nil || n < p.total && now.Sub(p.drawn) < drawEvery {
		return
	}
	p.drawn = now
	fmt.Fprint(p.w, clearLine+p.line(n, now.Sub(p.began)))
}

func (p *progress) line(n int64, took time.Duration) string {
	count := p.amount(n)
	if p.total > 0 {
		part := min(n, p.total)
		full := int(part * barWidth / p.total)
		count = fmt.Sprintf("[%s%s] %3d %%  %s of %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full),
			part*100/p.total, count, p.amount(p.total))
	}
	return fmt.Sprintf("%s %s  %s", p.label, count, took.Round(time.Second))
}

func (p *progress) amount(n int64) string {
	if p.unit == "MB" {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d %s", n, p.unit)
}

// clear erases the line, so that something else can be printed.
func (p *progress) clear() {
	if p.w != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.w, clearLine)
		p.drawn = time.Time{}
	}
}

// end is clear, for good.
func (p *progress) end() {
	p.clear()
	p.w = nil
}
