//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// Curve is one line of a plot; Y[n] belongs to the nth place of the X axis.
type Curve struct {
	Label string    `json:"label"`
	Y     []float64 `json:"y"`
}

// Plot is a picture of up to three curves over named places; Y is logarithmic, or
// linear from 0.
type Plot struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Unit   string   `json:"unit"`
	Linear bool     `json:"linear,omitempty"`
	X      []string `json:"x"`
	Curves []Curve  `json:"curves"`
}

// The picture's size and the edges of what is drawn in it.
const (
	width, height            = 590, 300
	left, right, top, bottom = 64, 140, 40, 36
)

// colours can be told apart by those who see few, on white and on black.
var colours = [...]string{"#3987e5", "#d95926", "#199e70"}

// SVG draws it. Text and lines take the colour that suits the reader's ground.
func (p Plot) SVG() []byte {
	x := func(n int) float64 {
		return left + float64(width-left-right)*float64(n)/float64(max(1, len(p.X)-1))
	}
	ticks, part := p.axis()
	y := func(v float64) float64 { return height - bottom - part(v)*float64(height-top-bottom) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s" font-family="system-ui, sans-serif" font-size="12">`+"\n",
		width, height, width, height, html.EscapeString(p.Title))
	b.WriteString("<style>:root { color: #1f2328 } text { fill: currentColor } .grid { stroke: currentColor; stroke-opacity: .2 } @media (prefers-color-scheme: dark) { :root { color: #e6edf3 } }</style>\n")
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14" font-weight="600">%s</text>`+"\n", left, html.EscapeString(p.Title))
	for _, v := range ticks {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%g %s</text>`+"\n",
			left, width-right, y(v), y(v), left-6, y(v)+4, v, html.EscapeString(p.Unit))
	}
	for n, name := range p.X {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(n), height-bottom+20, html.EscapeString(name))
	}
	for n, c := range p.Curves {
		p.draw(&b, c, colours[n%len(colours)], top+16*float64(n)+10, x, y)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// axis is where the lines of the Y axis are, and how far up a value is: from 0 to 1.
func (p Plot) axis() (ticks []float64, part func(float64) float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range p.Curves {
		for _, y := range c.Y {
			low, high = min(low, y), max(high, y)
		}
	}
	if p.Linear {
		step := math.Pow(10, math.Floor(math.Log10(max(high, least))))
		for high > 4*step {
			step *= 2
		}
		for n := range 5 {
			ticks = append(ticks, step*float64(n))
		}
		return ticks, func(v float64) float64 { return v / (4 * step) }
	}
	from, to := math.Floor(math.Log10(max(low, least))), math.Ceil(math.Log10(max(high, 2*least)))
	to = max(to, from+1)
	for e := from; e <= to; e++ {
		ticks = append(ticks, math.Pow(10, e))
	}
	return ticks, func(v float64) float64 { return (math.Log10(max(v, least)) - from) / (to - from) }
}

// least bounds what a logarithm is taken of.
const least = 1e-3

// draw adds a curve and its line of the legend, at a height.
func (p Plot) draw(b *bytes.Buffer, c Curve, colour string, legend float64, x func(int) float64, y func(float64) float64) {
	fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour)
	for n, v := range c.Y {
		fmt.Fprintf(b, "%.1f,%.1f ", x(n), y(v))
	}
	b.WriteString(`"/>` + "\n")
	for n, v := range c.Y {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s: %.3g %s</title></circle>`+"\n",
			x(n), y(v), colour, html.EscapeString(c.Label+", "+p.X[n]), v, html.EscapeString(p.Unit))
	}
	fmt.Fprintf(b, `<rect x="%d" y="%.0f" width="12" height="3" fill="%s"/><text x="%d" y="%.0f">%s</text>`+"\n",
		width-right+8, legend-5, colour, width-right+26, legend, html.EscapeString(c.Label))
}
