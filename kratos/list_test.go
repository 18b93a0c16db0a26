package kratos_test

// This test proves that a page of Kratos's list is taken for no more than it
// says: the address of the next page moves nobody to another server, and what is
// no list of identities is none.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	const two = `[{"id":"k-1","traits":{}},{"id":"k-2"}]`
	for name, c := range map[string]struct {
		token, body, link string
		status            int
		ids               []string
		next              string
		fails             string
	}{
		"last":                 {body: two, link: `</admin/identities?page_size=2>; rel="first"`, ids: []string{"k-1", "k-2"}},
		"no header":            {body: `[]`},
		"another one":          {body: two, link: `</admin/identities?page_size=2>; rel="first",</admin/identities?page_size=2&page_token=k-2%2B>; rel="next"`, ids: []string{"k-1", "k-2"}, next: "k-2+"},
		"elsewhere":            {body: two, link: `<http://elsewhere.example/?page_token=x>; rel="next"`, ids: []string{"k-1", "k-2"}, next: "x"},
		"without a token":      {body: two, link: `</admin/identities?page=2>; rel="next"`, ids: []string{"k-1", "k-2"}},
		"the same again":       {token: "canary", body: two, link: `</?page_token=canary>; rel="next"`, fails: "no sense"},
		"a very long one":      {body: two, link: `</?page_token=` + strings.Repeat("canary", 500) + `>; rel="next"`, fails: "no sense"},
		"nobody in particular": {body: `[{"traits":{"email":"canary"}}]`, fails: "no id"},
		"no list":              {body: `{"canary":1}`, fails: "cannot be read"},
		"down":                 {status: 503, body: "canary", fails: "status 503"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked string
			admin := answering(t, "", func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.RawQuery
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Link", c.link)
				w.WriteHeader(max(c.status, http.StatusOK))
				fmt.Fprint(w, c.body)
			})
			ids, next, err := admin.Page(t.Context(), c.token, 2)
			if !strings.Contains(asked, "page_size=2") || strings.Contains(asked, "page_token=") != (c.token != "") || strings.Contains(asked, "include_credential") {
				t.Errorf("asked %q", asked)
			}
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || !slices.Equal(ids, c.ids) || next != c.next {
				t.Errorf("%q, %q, %v", ids, next, err)
			}
		})
	}
}
