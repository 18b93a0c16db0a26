package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/store"
)

// known refuses a request with parameters other than these, or with an empty
// one: such a filter would not filter, and the reply would look as if everybody
// matched it.
func known(c echo.Context, names ...string) error {
	params, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return problem.New(http.StatusBadRequest, "the query string is malformed")
	}
	for name, values := range params {
		if !slices.Contains(names, name) {
			return problem.New(http.StatusBadRequest, "there is a parameter that is not known here; known are: "+cmp.Or(strings.Join(names, ", "), "none"))
		}
		if len(values) > 1 {
			return problem.New(http.StatusBadRequest, name+" is there more than once")
		}
		if values[0] == "" && name != "page_token" { // the first page has none
			return problem.New(http.StatusBadRequest, name+" is empty: leave it out where it should not matter")
		}
	}
	return nil
}

// oneOf returns the parameter's value, which is one of the words or empty.
func oneOf[T ~string](c echo.Context, name string, words ...T) (T, error) {
	value := T(c.QueryParam(name))
	if value != "" && !slices.Contains(words, value) {
		return "", problem.New(http.StatusBadRequest, fmt.Sprintf("%s is one of %q", name, words))
	}
	return value, nil
}

// subjectKey is the key that the parameters issuer and subject name together;
// one of them alone names nobody.
func subjectKey(c echo.Context) (identity.Key, error) {
	issuer, subject := c.QueryParam("issuer"), c.QueryParam("subject")
	switch {
	case issuer == "" && subject == "":
		return "", nil
	case issuer == "" || subject == "":
		return "", problem.New(http.StatusBadRequest, "issuer and subject go together: a subject means something only with its issuer")
	}
	return identity.FedKey(issuer, subject), nil
}

// pageSize is the parameter page_size; 0 where there is none.
func pageSize(c echo.Context) (int, error) {
	text := c.QueryParam("page_size")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > store.MaxPageSize {
		return 0, problem.New(http.StatusBadRequest, "page_size is a number from 1 to "+strconv.Itoa(store.MaxPageSize))
	}
	return n, nil
}
