package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestFromWeb: a template is asked for once, whatever the answer, and never where
// somebody on the way could give it.
func TestFromWeb(t *testing.T) {
	asked := map[string]int{}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a place in the clear was asked") }))
	defer elsewhere.Close()
	console := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked[r.URL.Path]++; r.URL.Path {
		case "/good":
			w.Write([]byte("template"))
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer console.Close()
	fetch := fromWeb(t.Context(), console.URL)
	for name, c := range map[string]struct{ address, want string }{
		"there":      {console.URL + "/good", "template"},
		"moved":      {console.URL + "/moved", "template"},
		"not there":  {console.URL + "/none", ""},
		"led away":   {console.URL + "/away", ""},
		"in clear":   {elsewhere.URL, ""},
		"no address": {"base64://e30=", ""},
	} {
		for range 3 {
			if data, err := fetch(c.address); string(data) != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%s: %q, %v", name, data, err)
			}
		}
	}
	for path, want := range map[string]int{"/good": 2, "/moved": 1, "/none": 1, "/away": 1} {
		if asked[path] != want {
			t.Errorf("%s was asked for %d times", path, asked[path])
		}
	}
}
