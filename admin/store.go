package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/transfer"
	"github.com/jithook/jithook/store/verify"
)

// Media types and headers of the routes below /store.
const (
	// TypeLines is newline-delimited JSON.
	TypeLines = "application/x-ndjson"
	// HeaderIdentities and HeaderDecisions say about how many of each the
	// store holds, where it knows.
	HeaderIdentities = "Jithook-Identities"
	HeaderDecisions  = "Jithook-Decisions"
	// HeaderNotIncluded names the userstores that a backup lacks, since they
	// have stores of their own.
	HeaderNotIncluded = "Jithook-Not-Included"
)

// Bounds of the routes below /store, which the timeout of the others would cut.
const (
	// storePath is what these routes have in common.
	storePath = "/admin/v1/store/"
	// stepTime bounds a request that does one step: a part of a verification,
	// a batch of an import.
	stepTime = time.Minute
	// chunkTime is how long a reader of a stream may take for what was written
	// last. A stream as a whole takes as long as it is read.
	chunkTime = 30 * time.Second
	// MaxImport bounds the body of an import, in bytes, MaxImportLines its
	// lines: at least one line of the greatest length fits.
	MaxImport      = 2 << 20
	MaxImportLines = 200
)

// Inspection is a part of a verification.
type Inspection struct {
	Findings []store.Finding `json:"findings"`
	// Checked is how many entries were looked at, Total about how many there
	// are in all parts; only the first part says it.
	Checked       int64  `json:"checked"`
	Total         int64  `json:"total,omitempty"`
	NextPageToken string `json:"next_page_token"`
}

// Imported is what became of the lines of an import.
type Imported struct {
	Lines []ImportedLine `json:"lines"`
}

// ImportedLine is the outcome of one line of the body, counted from 1.
type ImportedLine struct {
	Line    int              `json:"line"`
	Outcome transfer.Outcome `json:"outcome"`
	// ID is that of the identity or the decision record.
	ID string `json:"id"`
}

func (a *API) mountStore(v1 *echo.Group) {
	v1.POST("/store/verify", a.storeVerify)
	v1.POST("/store/import", a.storeImport)
	v1.GET("/store/export", a.storeExport)
	v1.GET("/store/backup", a.storeBackup)
}

func (a *API) storeVerify(c echo.Context) error {
	if err := known(c, "mend", "page_token"); err != nil {
		return err
	}
	mend, err := oneOf(c, "mend", "true", "false")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(unhurried(c), stepTime)
	defer cancel()
	all := verify.Installation{Home: a.Userstore.Home, Now: a.Service.Now}
	for _, p := range a.Userstore.Places() {
		all.Stores = append(all.Stores, verify.Place(p))
	}
	found, err := all.Page(ctx, c.QueryParam("page_token"), mend == "true")
	if errors.Is(err, store.ErrUnavailable) {
		return problem.New(http.StatusServiceUnavailable,
			"the userstore cannot be checked any further: if it is not down, a document is damaged, and a backup is needed")
	}
	if err != nil {
		return fault(err)
	}
	for _, f := range found.Findings {
		a.Log.WarnContext(ctx, "the store is not as it should be", "finding", string(f.Code),
			"userstore", f.Userstore, "identity_id", f.IdentityID, "decision_id", f.DecisionID, "mended", f.Mended, "request_id", hook.RequestID(c))
	}
	return c.JSON(http.StatusOK, Inspection{append([]store.Finding{}, found.Findings...), found.Checked, found.Total, found.NextPageToken})
}

func (a *API) storeImport(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(unhurried(c), stepTime)
	defer cancel()
	lines, err := importLines(c)
	if err != nil {
		return err
	}
	outcomes, err := transfer.Import(ctx, a.Userstore, lines)
	if errors.Is(err, store.ErrUnavailable) {
		return problem.New(http.StatusServiceUnavailable, "the userstore cannot be written right now; what was imported stays, so try again")
	}
	if err != nil {
		return fault(err)
	}
	out := Imported{[]ImportedLine{}}
	for n, o := range outcomes {
		id := ""
		if lines[n].Identity != nil {
			id = lines[n].Identity.ID
		} else {
			id = lines[n].Decision.ID
		}
		out.Lines = append(out.Lines, ImportedLine{n + 1, o, id})
	}
	return c.JSON(http.StatusOK, out)
}

// importLines reads the body: identities and decision records, all of them
// checked before any is written.
func importLines(c echo.Context) ([]transfer.Line, error) {
	data, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, MaxImport))
	if err != nil {
		return nil, problem.OfBody(err)
	}
	var lines []transfer.Line
	for text := range splitLines(data) {
		n := len(lines) + 1
		if n > MaxImportLines {
			return nil, problem.New(http.StatusBadRequest, "there are more than "+strconv.Itoa(MaxImportLines)+" lines")
		}
		l, err := transfer.Decode(text)
		if err == nil {
			err = l.Check()
		}
		if err == nil && l.Identity == nil && l.Decision == nil {
			err = errors.New("it is neither an identity nor a decision record")
		}
		if err != nil {
			return nil, problem.At("line "+strconv.Itoa(n), err.Error())
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func (a *API) storeExport(c echo.Context) error {
	if err := known(c, "after_identity", "after_decision"); err != nil {
		return err
	}
	ctx := unhurried(c)
	at := transfer.Position{Identity: c.QueryParam("after_identity"), Decision: c.QueryParam("after_decision")}
	n, err := a.Userstore.Count(ctx)
	if err != nil {
		return fault(err)
	}
	if n != (store.Count{}) {
		c.Response().Header().Set(HeaderIdentities, strconv.FormatInt(n.Identities, 10))
		c.Response().Header().Set(HeaderDecisions, strconv.FormatInt(n.Decisions, 10))
	}
	w := newStream(c, TypeLines)
	err = transfer.Export(ctx, a.Userstore, at, func(line []byte) error {
		_, err := w.Write(line)
		return err
	})
	if err != nil && !c.Response().Committed {
		return fault(err)
	}
	if err != nil { // the reader sees that the end is missing
		a.Log.ErrorContext(ctx, "export broke off", "error", err, "request_id", hook.RequestID(c))
	}
	return nil
}

func (a *API) storeBackup(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	places := a.Userstore.Places()
	b, ok := places[0].Store.(store.Backuper)
	if !ok {
		return problem.New(http.StatusNotImplemented, "the home store is a database that makes its backups with tools of its own: for MongoDB, mongodump")
	}
	var others []string
	for _, p := range places[1:] {
		others = append(others, p.Userstore)
	}
	ctx := unhurried(c)
	err := b.Backup(ctx, func(size int64) io.Writer {
		if len(others) > 0 {
			c.Response().Header().Set(HeaderNotIncluded, strings.Join(others, ","))
		}
		c.Response().Header().Set(echo.HeaderContentLength, strconv.FormatInt(size, 10))
		return newStream(c, echo.MIMEOctetStream)
	})
	if err != nil && !c.Response().Committed {
		c.Response().Header().Del(echo.HeaderContentLength)
		return fault(err)
	}
	if err != nil { // the reader sees that bytes are missing
		a.Log.ErrorContext(ctx, "backup broke off", "error", err, "request_id", hook.RequestID(c))
	}
	return nil
}
