//go:build unix

package kratostest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// Outcome is how a sign-in ended.
type Outcome string

// The outcomes of a sign-in.
const (
	OutcomeSession   Outcome = "session"    // signed in
	OutcomeFlow      Outcome = "flow"       // back at a flow's page, see Result.Messages
	OutcomeErrorPage Outcome = "error page" // Kratos's page for everything else, see Result.Error
	OutcomeNoSession Outcome = "no session" // at the end of the road, but whoami says no
)

// Result is where a sign-in ended.
type Result struct {
	Outcome Outcome
	// FinalURL is the page that Kratos sent the browser to, with its query;
	// empty where Kratos answered a script or an app directly.
	FinalURL string
	// Session is set with OutcomeSession, SessionToken also for a native app.
	Session      *Session
	SessionToken string
	// FlowName ("login", "registration"), Flow and Messages are set with
	// OutcomeFlow. Flow is the flow as Kratos's API shows it.
	FlowName string
	Flow     json.RawMessage
	Messages []Message
	// Error is set with OutcomeErrorPage: Kratos's own description.
	Error json.RawMessage
}

// Message is one message on a flow's page.
type Message struct {
	// Field is the name of the field it stands at, e.g. "traits.email"; empty
	// for the page's own messages.
	Field   string          `json:"-"`
	ID      int             `json:"id"`
	Text    string          `json:"text"`
	Type    string          `json:"type"`
	Context json.RawMessage `json:"context"`
}

// Session is a session as whoami shows it.
type Session struct {
	ID                    string       `json:"id"`
	Active                bool         `json:"active"`
	Identity              Identity     `json:"identity"`
	AuthenticationMethods []AuthMethod `json:"authentication_methods"`
}

// AuthMethod is one method that a session was made with.
type AuthMethod struct {
	Method   string `json:"method"`
	Provider string `json:"provider"`
}

// Names of the pages under uiPath beside those of the flows.
const (
	pageError   = "error"
	pageNative  = "native"
	pageWelcome = "welcome"
)

// flow is what the driver needs of a flow.
type flow struct {
	ID           string `json:"id"`
	ExchangeCode string `json:"session_token_exchange_code"`
	UI           struct {
		Action   string    `json:"action"`
		Messages []Message `json:"messages"`
		Nodes    []struct {
			Attributes struct {
				Name  string `json:"name"`
				Value any    `json:"value"`
			} `json:"attributes"`
			Messages []Message `json:"messages"`
		} `json:"nodes"`
	} `json:"ui"`
}

func parseFlow(body []byte) (flow, error) {
	var f flow
	if err := json.Unmarshal(body, &f); err != nil || f.UI.Action == "" {
		return flow{}, fmt.Errorf("not a flow: %.500s", body)
	}
	return f, nil
}

// csrf returns the flow's CSRF token; a native flow has none.
func (f flow) csrf() string {
	for _, node := range f.UI.Nodes {
		if node.Attributes.Name == "csrf_token" {
			token, _ := node.Attributes.Value.(string)
			return token
		}
	}
	return ""
}

// messages returns the page's own messages first, then those at fields.
func (f flow) messages() []Message {
	all := f.UI.Messages
	for _, node := range f.UI.Nodes {
		for _, m := range node.Messages {
			m.Field = node.Attributes.Name
			all = append(all, m)
		}
	}
	return all
}

// fetchFlow reads a flow the way its page would.
func (j *journey) fetchFlow(ctx context.Context, name, id string) (json.RawMessage, error) {
	var body json.RawMessage
	path := "/self-service/" + name + "/flows?" + url.Values{"id": {id}}.Encode()
	if err := j.k.mustGetJSON(ctx, path, j.b.header(j.k), &body); err != nil {
		return nil, fmt.Errorf("read the %s flow: %w", name, err)
	}
	return body, nil
}

// land returns the result of being sent to one of the test's pages.
func (j *journey) land(ctx context.Context, name string, at *url.URL) (Result, error) {
	r := Result{FinalURL: at.String()}
	var err error
	switch name {
	case pageError:
		r.Outcome = OutcomeErrorPage
		path := "/self-service/errors?" + url.Values{"id": {at.Query().Get("id")}}.Encode()
		return r, j.k.mustGetJSON(ctx, path, j.b.header(j.k), &r.Error)
	case pageWelcome, pageNative:
		if code := at.Query().Get("code"); code != "" {
			if j.b.token, err = j.exchangeToken(ctx, code); err != nil {
				return Result{}, err
			}
			r.SessionToken = j.b.token
		}
		if r.Session, err = j.b.TryWhoami(ctx, j.k); err != nil {
			return Result{}, err
		}
		if r.Session != nil {
			r.Outcome = OutcomeSession
			return r, nil
		}
		r.Outcome = OutcomeNoSession
		if name == pageNative {
			return j.nativeFlow(ctx, r)
		}
		return r, nil
	}
	body, err := j.fetchFlow(ctx, name, at.Query().Get("flow"))
	if err != nil {
		return Result{}, err
	}
	return r.withFlow(name, body)
}

// nativeFlow looks for the reason of a missing session where an app would: in the
// flow that it began. Kratos leaves it there, except that a login flow which it
// turned into a registration says nothing; the app never learns the new flow's id.
func (j *journey) nativeFlow(ctx context.Context, r Result) (Result, error) {
	body, err := j.fetchFlow(ctx, j.s.Start, j.begun.ID)
	if err != nil {
		return Result{}, err
	}
	f, err := parseFlow(body)
	if err != nil || len(f.messages()) == 0 {
		return r, err
	}
	return r.withFlow(j.s.Start, body)
}

// withFlow returns r as an end at a flow's page.
func (r Result) withFlow(name string, body json.RawMessage) (Result, error) {
	f, err := parseFlow(body)
	if err != nil {
		return Result{}, err
	}
	r.Outcome, r.FlowName, r.Flow, r.Messages = OutcomeFlow, name, body, f.messages()
	return r, nil
}

// exchangeToken trades the two halves that a native app holds, the code of its
// flow and the code of the redirect, for a session token.
func (j *journey) exchangeToken(ctx context.Context, code string) (string, error) {
	var reply struct {
		Token string `json:"session_token"`
	}
	query := url.Values{"init_code": {j.begun.ExchangeCode}, "return_to_code": {code}}
	if err := j.k.mustGetJSON(ctx, "/sessions/token-exchange?"+query.Encode(), http.Header{}, &reply); err != nil {
		return "", fmt.Errorf("exchange the session token: %w", err)
	}
	return reply.Token, nil
}

// answered returns the result of an answer that is neither redirect nor page.
func answered(p place) (Result, error) {
	var reply struct {
		Type  string          `json:"type"`
		UI    json.RawMessage `json:"ui"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(p.body, &reply); err != nil {
		return Result{}, p.unexpected()
	}
	switch {
	case reply.UI != nil:
		f, err := parseFlow(p.body)
		if err != nil {
			return Result{}, err
		}
		return Result{}.withFlow(flowName(f), p.body)
	case reply.Error != nil:
		return Result{Outcome: OutcomeErrorPage, Error: reply.Error}, nil
	}
	return Result{}, p.unexpected()
}

// flowName tells the kind of a flow from where its form goes.
func flowName(f flow) string {
	action, err := url.Parse(f.UI.Action)
	if err == nil && action.Path == "/self-service/registration" {
		return StartRegistration
	}
	return StartLogin
}

// header returns the request headers that carry this browser's session.
func (b *Browser) header(k *Kratos) http.Header {
	header := http.Header{}
	if b.token != "" {
		header.Set("X-Session-Token", b.token)
		return header
	}
	at, err := url.Parse(k.PublicURL)
	if err != nil {
		return header
	}
	req := http.Request{Header: header}
	for _, cookie := range b.jar.Cookies(at) {
		req.AddCookie(cookie)
	}
	return header
}

// Whoami returns the browser's session, or nil without an active one.
func (b *Browser) Whoami(t testing.TB, k *Kratos) *Session {
	t.Helper()
	s, err := b.TryWhoami(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TryWhoami is Whoami for goroutines beside the test's own.
func (b *Browser) TryWhoami(ctx context.Context, k *Kratos) (*Session, error) {
	var s Session
	status, err := k.getJSON(ctx, "/sessions/whoami", b.header(k), &s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("whoami: %w", err)
	case status == http.StatusOK && s.Active:
		return &s, nil
	case status == http.StatusOK, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return nil, nil
	}
	return nil, fmt.Errorf("whoami: status %d", status)
}
