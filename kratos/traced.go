package kratos

import (
	"net/http"
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/tracing"
)

// traced shows every call as a span, and tells Kratos of it.
type traced struct{ next http.RoundTripper }

func (t traced) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // a round trip leaves the request as it is
	ctx, span := tracing.Call(r.Context(), "kratos.admin", r.Header)
	span.Set("http.request.method", r.Method)
	span.Set("url.template", template(r.URL.Path))
	reply, err := t.next.RoundTrip(r.WithContext(ctx))
	if err == nil {
		span.Count("http.response.status_code", reply.StatusCode)
	}
	span.End(err)
	return reply, err
}

// template is the path of a call without the id of whom it is about.
func template(path string) string {
	segments := strings.Split(path, "/")
	if n := slices.Index(segments, "identities"); n >= 0 && n+1 < len(segments) {
		segments[n+1] = "{id}"
	}
	return strings.Join(segments, "/")
}
