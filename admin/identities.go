package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/store"
)

// Identity is an identity as the API shows it.
type Identity struct {
	ID        string         `json:"id"`
	Userstore string         `json:"userstore"`
	State     identity.State `json:"state"`
	// StateSource says who brought it into that state.
	StateSource string                `json:"state_source,omitempty"`
	StateAt     time.Time             `json:"state_at,omitzero"`
	Traits      map[string]any        `json:"traits"`
	Provenance  []identity.Provenance `json:"provenance"`
	Groups      []identity.Group      `json:"groups"`
	Links       []Link                `json:"links"`
	// Proposals are links that nobody has made, or somebody has said no to.
	Proposals []ProposedLink `json:"proposals,omitempty"`
	// Holds are changes of groups that wait for an administrator.
	Holds []Hold `json:"holds,omitempty"`
	// ExternalIDs are by system; where a system has several instances, the
	// later ones are named system/instance.
	ExternalIDs map[string]string  `json:"external_ids"`
	Consents    []identity.Consent `json:"consents"`
	Revision    int64              `json:"revision"`
	CreatedAt   time.Time          `json:"created_at"`
	UpdatedAt   time.Time          `json:"updated_at"`
	LastLoginAt time.Time          `json:"last_login_at,omitzero"`
	DecisionID  string             `json:"decision_id,omitempty"`
}

// Link is a federated association as the API shows it.
type Link struct {
	Provider string    `json:"provider"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	LinkedAt time.Time `json:"linked_at"`
	Evidence string    `json:"evidence"`
	// GroupsUnknownSince is since when groups are kept that nobody knows to be
	// granted still.
	GroupsUnknownSince time.Time `json:"groups_unknown_since,omitzero"`
	// Match is how a lookup rule found the identity, if one did.
	Match identity.Match `json:"match,omitzero"`
}

// Identities is a page.
type Identities struct {
	Identities    []Identity `json:"identities"`
	NextPageToken string     `json:"next_page_token"`
}

func view(i identity.Identity) Identity {
	v := Identity{
		ID: i.ID, Userstore: i.Userstore, State: i.State, StateSource: i.StateSource, StateAt: i.StateAt, Traits: i.Traits,
		Provenance: append([]identity.Provenance{}, i.Provenance...),
		Groups:     append([]identity.Group{}, i.Groups...),
		Links:      []Link{}, ExternalIDs: map[string]string{},
		Consents: append([]identity.Consent{}, i.Consents...),
		Revision: i.Revision, CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt, LastLoginAt: i.LastLoginAt,
		DecisionID: i.DecisionID,
	}
	if v.Traits == nil {
		v.Traits = map[string]any{}
	}
	for _, l := range i.Links {
		v.Links = append(v.Links, Link{l.Provider, l.Issuer, l.Subject, l.LinkedAt, l.Evidence, l.GroupsUnknownSince, l.Match})
	}
	for _, p := range i.Proposals {
		v.Proposals = append(v.Proposals, proposedLink(&i, p))
	}
	for _, h := range i.Holds {
		v.Holds = append(v.Holds, heldOf(i, h))
	}
	for _, e := range i.ExternalIDs {
		if _, taken := v.ExternalIDs[e.System]; taken {
			v.ExternalIDs[e.System+"/"+e.Instance] = e.ID
			continue
		}
		v.ExternalIDs[e.System] = e.ID
	}
	return v
}

func (a *API) identities(c echo.Context) error {
	q, err := identityQuery(c)
	if err != nil {
		return err
	}
	wanted, err := traitFilter(c)
	if err != nil {
		return err
	}
	page, err := a.Store.List(c.Request().Context(), q)
	if err != nil {
		return fault(err)
	}
	out := Identities{Identities: []Identity{}, NextPageToken: page.NextPageToken}
	for _, i := range page.Identities {
		if wanted(&i) {
			out.Identities = append(out.Identities, view(i))
		}
	}
	return c.JSON(http.StatusOK, out)
}

// traitFilter returns whom the parameters trait and value want: those whose trait at
// the path is this text, in whatever case, or is a list that has it. No index helps,
// so it takes its part of each page: a page may have nobody and not be the last.
func traitFilter(c echo.Context) (func(*identity.Identity) bool, error) {
	trait, value := c.QueryParam("trait"), c.QueryParam("value")
	if trait == "" && value == "" {
		return func(*identity.Identity) bool { return true }, nil
	}
	path, ok := strings.CutPrefix(trait, "/traits/")
	if !ok || value == "" {
		return nil, problem.New(http.StatusBadRequest, "trait and value go together: trait is the path of a trait, such as /traits/email")
	}
	return func(i *identity.Identity) bool {
		v, has := i.Trait("/" + path)
		return has && says(v, value)
	}, nil
}

// says reports whether a value is this text, or holds it in a list.
func says(v any, text string) bool {
	switch v := v.(type) {
	case string:
		return strings.EqualFold(v, text)
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return says(one, text) })
	case map[string]any, nil:
		return false
	}
	return fmt.Sprint(v) == text
}

func identityQuery(c echo.Context) (q store.Query, err error) {
	if err := known(c, "userstore", "state", "issuer", "subject", "trait", "value", "page_size", "page_token"); err != nil {
		return q, err
	}
	q.Userstore, q.PageToken = c.QueryParam("userstore"), c.QueryParam("page_token")
	q.State, err = oneOf(c, "state", identity.StatePending, identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned, identity.StateDeleted)
	if err != nil {
		return q, err
	}
	if q.Key, err = subjectKey(c); err != nil {
		return q, err
	}
	q.PageSize, err = pageSize(c)
	return q, err
}

func (a *API) identity(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	i, err := a.Store.Get(c.Request().Context(), c.Param("id"))
	if err != nil {
		return fault(err)
	}
	tag(c, &i)
	return c.JSON(http.StatusOK, view(i))
}
