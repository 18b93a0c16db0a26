package admin

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Export is what jithook holds about one person: the identity, what other systems
// have yet to learn of it and what they have, the decision records about it, newest first, and behind them those about its subjects that
// name another identity or none, such as logins denied before it was made.
type Export struct {
	Identity  Identity   `json:"identity"`
	Outbox    []Delivery `json:"outbox"`
	Resources []Resource `json:"resources"`
	Decisions []Decision `json:"decisions"`
}

// Resource is what another system has of an identity.
type Resource struct {
	Target string   `json:"target"`
	ID     string   `json:"id,omitempty"`
	Groups []string `json:"groups"`
}

// Delivery is an entry of an identity's outbox.
type Delivery struct {
	Target   string    `json:"target"`
	Revision int64     `json:"revision"`
	Since    time.Time `json:"since"`
	Due      time.Time `json:"due"`
	Attempts int       `json:"attempts"`
	Failure  string    `json:"failure,omitempty"`
	Dead     bool      `json:"dead,omitempty"`
}

// exportPath is the route of an export. Like those below /store it limits
// itself: a person has as many records as logins within decisions.retention.
const exportPath = "/identities/:id/export"

func (a *API) export(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	ctx := unhurried(c)
	first, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	i, err := a.Store.Get(first, c.Param("id"))
	if err != nil {
		return fault(err)
	}
	err = a.writeExport(newStream(c, echo.MIMEApplicationJSON), i, a.recordsOf(ctx, i))
	if err != nil { // the reader sees that the document is not whole
		a.Log.ErrorContext(ctx, "export of an identity broke off", "identity_id", i.ID, "error", err, "request_id", hook.RequestID(c))
	}
	return nil
}

// writeExport writes an Export.
func (a *API) writeExport(w io.Writer, i identity.Identity, records iter.Seq2[identity.Record, error]) error {
	o := outbox(i)
	e := Export{Identity: view(i), Outbox: o.Outbox, Resources: o.Resources, Decisions: []Decision{}}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	begin := strings.TrimSuffix(string(text), "]}") // decisions come last
	for r, err := range records {
		if err != nil {
			return err
		}
		if text, err = json.Marshal(a.opened(r)); err != nil {
			return err
		}
		if _, err := io.WriteString(w, begin+string(text)); err != nil {
			return err
		}
		begin = ","
	}
	if begin == "," {
		begin = ""
	}
	_, err = io.WriteString(w, begin+"]}\n")
	return err
}

// recordsOf yields the records of an Export, page by page.
func (a *API) recordsOf(ctx context.Context, i identity.Identity) iter.Seq2[identity.Record, error] {
	queries := []store.DecisionQuery{{IdentityID: i.ID}}
	for _, l := range i.Links {
		queries = append(queries, store.DecisionQuery{SubjectKey: identity.FedKey(l.Issuer, l.Subject)})
	}
	return func(yield func(identity.Record, error) bool) {
		for n, q := range queries {
			for more := true; more; more = q.PageToken != "" {
				page, err := a.decisionPage(ctx, q)
				if err != nil {
					yield(identity.Record{}, err)
					return
				}
				for _, r := range page.Records {
					if n > 0 && r.IdentityID == i.ID {
						continue // among the first already
					}
					if !yield(r, nil) {
						return
					}
				}
				q.PageToken = page.NextPageToken
			}
		}
	}
}

func (a *API) decisionPage(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return a.Store.Decisions(ctx, q)
}
