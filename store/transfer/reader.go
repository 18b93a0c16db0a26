package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Reader reads a file of lines and holds it to the order of the format: so
// nothing stands twice in it, and one that was cut off is not taken for whole.
type Reader struct {
	// Number is that of the line that Next returned last, from 1; Offset is
	// where the line behind it begins, in bytes; Position and Counts tell how
	// far the file has come.
	Number   int
	Offset   int64
	Position Position
	Counts   Counts
	// Ended says that the last line was the end.
	Ended bool

	from *bufio.Reader
}

// NewReader returns a Reader of a whole file or stream.
func NewReader(r io.Reader) *Reader { return &Reader{from: bufio.NewReaderSize(r, 64<<10)} }

// ErrCut says that the file ends before its end: within a line, or behind a
// whole one. What Next has returned before is good.
var ErrCut = errors.New("the file ends too early")

// LineError says what is wrong with a line.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Next returns the next line and its text, with the newline; the text is good
// until the next call. After the end it is io.EOF. Errors: ErrCut; a LineError;
// what reading failed with.
func (r *Reader) Next() (Line, []byte, error) {
	text, err := r.line()
	if err != nil {
		return Line{}, nil, err
	}
	r.Number++
	l, err := Decode(bytes.TrimSuffix(text, []byte("\n")))
	if err == nil {
		err = r.follow(l)
	}
	if err != nil {
		return Line{}, nil, &LineError{r.Number, err}
	}
	r.Offset += int64(len(text))
	return l, text, nil
}

// line returns the next whole line.
func (r *Reader) line() ([]byte, error) {
	var text []byte
	for {
		part, err := r.from.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case len(text) > MaxLine+1:
			return nil, &LineError{r.Number + 1, fmt.Errorf("it is longer than %d bytes", MaxLine)}
		case err == nil:
			return text, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case !errors.Is(err, io.EOF):
			return nil, err
		case len(text) == 0 && r.Ended:
			return nil, io.EOF
		case r.Ended:
			return nil, &LineError{r.Number + 1, errors.New("there is more behind the end")}
		default:
			return nil, ErrCut
		}
	}
}

// follow says why a line may not follow those before it.
func (r *Reader) follow(l Line) error {
	at := &r.Position
	switch {
	case (l.Version != 0) != (r.Number == 1):
		return errors.New("the first line, and no other, is the header: is this an export?")
	case r.Ended:
		return errors.New("there is more behind the end")
	case l.Identity != nil:
		if at.Decision != "" || l.Identity.ID <= at.Identity {
			return errors.New("identities come first, in the order of their ids, none twice")
		}
		at.Identity = l.Identity.ID
		r.Counts.Identities++
	case l.Decision != nil:
		if at.Decision != "" && l.Decision.ID >= at.Decision || l.Decision.ID == "" {
			return errors.New("decision records come newest first, against the order of their ids, none twice")
		}
		at.Decision = l.Decision.ID
		r.Counts.Decisions++
	case l.End != nil:
		if *l.End != r.Counts {
			return errors.New("the end counts other lines than there are: some are missing")
		}
		r.Ended = true
	}
	return nil
}
