package kratos

import (
	"context"
	"errors"
	"net/url"
	"regexp"
)

// maxPageToken bounds what is handed back to Kratos, in bytes.
const maxPageToken = 2048

// nextLink is how Kratos names the next page in a Link header (RFC 8288).
var nextLink = regexp.MustCompile(`<([^<>]*)>\s*;\s*rel="?next"?`)

// Page returns the ids of at most size identities of Kratos, in Kratos's order,
// and the token of the next page: empty on the last one. token is that of the
// page before. Who is made or deleted meanwhile may be on a page or not.
func (a *Admin) Page(ctx context.Context, token string, size int) (ids []string, next string, err error) {
	request := a.api.IdentityAPI.ListIdentities(ctx).PageSize(int64(size))
	if token != "" {
		request = request.PageToken(token)
	}
	_, reply, err := request.Execute()
	var list []map[string]any
	if err := read(reply, err, "list identities", &list); err != nil {
		return nil, "", err
	}
	for _, i := range list {
		id, _ := i["id"].(string)
		if id == "" {
			return nil, "", errors.New("admin API of Kratos: list identities: one of the reply has no id")
		}
		ids = append(ids, id)
	}
	for _, link := range reply.Header.Values("Link") {
		if found := nextLink.FindStringSubmatch(link); found != nil {
			next = pageToken(found[1])
		}
	}
	if len(next) > maxPageToken || next != "" && next == token {
		return nil, "", errors.New("admin API of Kratos: list identities: the next page's token makes no sense")
	}
	return ids, next, nil
}

// pageToken is the token in the address of a page. Nothing else of the address
// counts: where Kratos is, the configuration says.
func pageToken(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Query().Get("page_token")
}
