//go:build unix

package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
)

// patience bounds every wait of the page's server, late that for a record which is
// not written yet. shown is how many decisions of a person the page gets, most how
// much of an answer is read.
const (
	patience = 10 * time.Second
	late     = 4 * time.Second
	shown    = 10
	most     = 1 << 20
)

//go:embed page
var content embed.FS

// page serves the page, and asks Kratos and jithook for it: the browser gets
// neither the administrator's token nor an address to use it at.
type page struct {
	world
	rules  map[string]string // providers' files by name
	client *http.Client
}

// newPage returns the page's handler. A request for another host comes from a
// site whose name leads here, and gets nothing.
func newPage(w world, rules map[string]string) http.Handler {
	p := page{world: w, rules: rules, client: &http.Client{Timeout: patience}}
	mux := http.NewServeMux()
	for path, file := range map[string]string{
		"/{$}": "index.html", "/login": "index.html", "/registration": "index.html", "/error": "index.html",
		"/page.js": "page.js", "/style.css": "style.css",
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, content, "page/"+file) })
	}
	mux.Handle("GET /start", http.RedirectHandler(w.kratos.PublicURL+"/self-service/login/browser", http.StatusSeeOther))
	mux.HandleFunc("GET /api/flow/{kind}", p.flow)
	mux.HandleFunc("GET /api/me", p.me)
	mux.HandleFunc("GET /api/decision/{id}", p.decision)
	host := strings.TrimPrefix(w.url, "http://")
	// A form's way goes on by redirects, and each of its hosts has to be named.
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
		"frame-ancestors 'none'; form-action 'self' " + strings.Join([]string{w.kratos.PublicURL, w.acme.Issuer, w.globex.Issuer}, " ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host {
			http.Error(w, "another host", http.StatusMisdirectedRequest)
			return
		}
		for name, value := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			w.Header().Set(name, value)
		}
		mux.ServeHTTP(w, r)
	})
}

// flow hands on what Kratos shows to this browser of its own flow or error.
func (p page) flow(w http.ResponseWriter, r *http.Request) {
	path, known := map[string]string{
		"login": "/self-service/login/flows", "registration": "/self-service/registration/flows", "error": "/self-service/errors",
	}[r.PathValue("kind")]
	if !known {
		http.NotFound(w, r)
		return
	}
	var flow json.RawMessage
	status, err := p.ask(r, path+"?"+url.Values{"id": {r.FormValue("id")}}.Encode(), &flow)
	answer(w, status, flow, err)
}

// person is who is signed in, as the page shows it.
type person struct {
	Identity  admin.Identity `json:"identity"`
	Decisions []why          `json:"decisions"`
	Logout    string         `json:"logout"`
}

// why is a decision with what a reader wants beside it.
type why struct {
	identity.Record
	// Line is the line of the provider's file that decided.
	Line string `json:"line,omitempty"`
	// Operator are the reasons as they are told to an operator, by code.
	Operator map[identity.Code]string `json:"operator,omitempty"`
}

// me tells who is signed in, from the session: nobody names another one.
func (p page) me(w http.ResponseWriter, r *http.Request) {
	var session struct {
		Identity struct {
			MetadataPublic struct {
				Jithook struct {
					IdentityID string `json:"identity_id"`
				} `json:"jithook"`
			} `json:"metadata_public"`
		} `json:"identity"`
	}
	status, err := p.ask(r, "/sessions/whoami", &session)
	if status != http.StatusOK || err != nil {
		answer(w, status, nil, err)
		return
	}
	id := session.Identity.MetadataPublic.Jithook.IdentityID
	var found person
	if status, err = p.jithook.Ask(r.Context(), "/admin/v1/identities/"+url.PathEscape(id), &found.Identity); status != http.StatusOK || err != nil {
		answer(w, status, nil, err)
		return
	}
	var list admin.Decisions
	query := url.Values{"identity": {id}, "page_size": {strconv.Itoa(shown)}}
	if status, err = p.jithook.Ask(r.Context(), "/admin/v1/decisions?"+query.Encode(), &list); status != http.StatusOK || err != nil {
		answer(w, status, nil, err)
		return
	}
	for _, record := range list.Decisions {
		found.Decisions = append(found.Decisions, p.explain(record))
	}
	var logout struct {
		URL string `json:"logout_url"`
	}
	status, err = p.ask(r, "/self-service/logout/browser", &logout)
	found.Logout = logout.URL
	answer(w, status, found, err)
}

// decision tells why, for whoever has a decision's id from a message. Such a
// record may be written a moment after the message was.
func (p page) decision(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), late)
	defer cancel()
	for {
		var record identity.Record
		status, err := p.jithook.Ask(ctx, "/admin/v1/decisions/"+url.PathEscape(r.PathValue("id")), &record)
		switch {
		case ctx.Err() != nil:
			http.NotFound(w, r)
			return
		case status != http.StatusNotFound:
			answer(w, status, p.explain(record), err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// explain puts beside a decision the line of the rules that it names.
func (p page) explain(r identity.Record) why {
	found := why{Record: r, Operator: map[identity.Code]string{}}
	at := strings.Split(r.Rule, ":")
	if len(at) >= 2 {
		lines := strings.Split(p.rules[at[0]], "\n")
		if n, err := strconv.Atoi(at[1]); err == nil && n >= 1 && n <= len(lines) {
			found.Line = strings.TrimSpace(lines[n-1])
		}
	}
	for _, reason := range r.Reasons {
		if info, ok := reason.Code.Info(); ok {
			found.Operator[reason.Code] = info.Operator
		}
	}
	return found
}

// ask asks Kratos with this browser's cookies. Of another status than 200 nothing
// is handed on.
func (p page) ask(r *http.Request, path string, out any) (int, error) {
	q, err := http.NewRequestWithContext(r.Context(), http.MethodGet, p.kratos.PublicURL+path, nil)
	if err != nil {
		return 0, err
	}
	q.Header["Cookie"] = r.Header["Cookie"]
	q.Header.Set("Accept", "application/json")
	reply, err := p.client.Do(q)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return reply.StatusCode, nil
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, most))
	if err != nil {
		return 0, err
	}
	return reply.StatusCode, json.Unmarshal(body, out)
}

// answer writes JSON. Nobody signed in is no error to a browser's console, so it
// is told with 204.
func answer(w http.ResponseWriter, status int, body any, err error) {
	switch {
	case err != nil:
		http.Error(w, "one of the servers behind this page does not answer", http.StatusBadGateway)
	case status == http.StatusUnauthorized:
		w.WriteHeader(http.StatusNoContent)
	case status != http.StatusOK:
		http.Error(w, fmt.Sprintf("the server behind this page says %d", status), status)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
}
