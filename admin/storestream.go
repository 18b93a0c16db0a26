package admin

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// unhurried lifts the server's deadlines from a request, which must have a
// bound of its own. (With the read deadline of a request that is read already,
// net/http would end its context.) Where there are none to lift, that is as
// good.
func unhurried(c echo.Context) context.Context {
	control := http.NewResponseController(c.Response())
	_ = control.SetReadDeadline(time.Now().Add(stepTime))
	_ = control.SetWriteDeadline(time.Now().Add(stepTime + chunkTime))
	return c.Request().Context()
}

// stream writes a reply of any length to a reader who keeps reading.
type stream struct {
	to      io.Writer
	control *http.ResponseController
}

// newStream prepares a reply; its header is written with its first byte.
func newStream(c echo.Context, media string) *stream {
	c.Response().Header().Set(echo.HeaderContentType, media)
	s := &stream{c.Response(), http.NewResponseController(c.Response())}
	_ = s.control.SetReadDeadline(time.Time{})
	return s
}

// Write gives the reader chunkTime for every piece.
func (s *stream) Write(p []byte) (int, error) {
	_ = s.control.SetWriteDeadline(time.Now().Add(chunkTime))
	return s.to.Write(p)
}

// splitLines yields the lines of data without their ends.
func splitLines(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			line, rest, _ := bytes.Cut(data, []byte("\n"))
			if !yield(line) {
				return
			}
			data = rest
		}
	}
}
