package admin

import (
	"cmp"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/internal/strictjson"
	"github.com/jithook/jithook/provision"
)

// Plan is what a login would become: the generic contract's answer without the
// id of a decision, since there is none to look up, and with the line of the
// policy that decided.
type Plan struct {
	Decision identity.Decision `json:"decision"`
	// Identity is the person after the login. One that is not made yet has no
	// id.
	Identity *generic.Identity `json:"identity,omitempty"`
	Changes  []identity.Change `json:"changes"`
	Reasons  []identity.Reason `json:"reasons"`
	// IdentityID is who was found, also for a login that is refused; Match is
	// how, if a lookup rule did.
	IdentityID string         `json:"identity_id,omitempty"`
	Match      identity.Match `json:"match,omitzero"`
	// Rule is file:line:col, Policy the digest of the provider's file.
	Rule   string `json:"rule,omitempty"`
	Policy string `json:"policy,omitempty"`
	// Explanation is there where it was asked for.
	Explanation *provision.Explanation `json:"explanation,omitempty"`
}

// plan is the dry run of a login, as a caller who may speak for every provider:
// nothing is written, no record kept, no ID token spent. Its claims count as
// those of whichever source the provider's file asks, so that rules for Kratos
// can be tried without one; only an ID token is verified as ever. An external id in the body is one of the parameter instance.
func (a *API) plan(c echo.Context) error {
	if err := known(c, "instance", "explain"); err != nil {
		return err
	}
	explain, err := oneOf(c, "explain", "true", "false")
	if err != nil {
		return err
	}
	var r generic.Request
	if err := strictjson.Decode(c.Request().Body, &r); err != nil {
		return problem.OfBody(err)
	}
	if err := r.Check(a.Service.Now()); err != nil {
		return err
	}
	caller := hook.Caller{Name: "admin", Providers: []string{"*"}, Instance: cmp.Or(c.QueryParam("instance"), hook.DefaultInstance)}
	l := r.Login(caller)
	for _, name := range claims.Sources() {
		if said := l.Offers[0]; said.Source != name {
			said.Source = name
			l.Offers = append(l.Offers, said)
		}
	}
	if explain != "true" {
		out, err := a.Service.Preview(c.Request().Context(), l)
		if err != nil {
			return fault(err)
		}
		return c.JSON(http.StatusOK, PlanOf(out))
	}
	out, why, err := a.Service.Explain(c.Request().Context(), l)
	if err != nil {
		return fault(err)
	}
	p := PlanOf(out)
	p.Explanation = &why
	return c.JSON(http.StatusOK, p)
}

// PlanOf is an outcome as a plan.
func PlanOf(out provision.Outcome) Plan {
	r, id := generic.Respond(out), out.Record.IdentityID
	if r.Identity != nil && r.Decision == identity.Created {
		r.Identity.ID, id = "", "" // made up for the plan; the login makes another
	}
	return Plan{
		IdentityID: id, Match: out.Match,
		Decision: r.Decision, Identity: r.Identity, Changes: r.Changes, Reasons: r.Reasons,
		Rule: out.Record.Rule, Policy: out.Record.Policy,
	}
}
