package scimtest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// MaxPage is how many resources a page has at most, whatever is asked for.
const MaxPage = 3

// page lists an endpoint in the order in which resources were made.
func (s *Target) page(endpoint string, query url.Values) (int, any) {
	all := s.matching(endpoint, "", "", false)
	number := func(d Doc) int { n, _ := strconv.Atoi(d["id"].(string)[1:]); return n }
	slices.SortFunc(all, func(a, b Doc) int { return number(a) - number(b) })
	start, err := strconv.Atoi(query.Get("startIndex"))
	count, again := strconv.Atoi(query.Get("count"))
	if err != nil || again != nil {
		return refusal(400, "invalidValue")
	}
	if s.Quirks.OnePage {
		start = 1
	}
	shown := []Doc{}
	for _, d := range all[min(max(start, 1)-1, len(all)):] {
		if len(shown) < min(count, MaxPage) {
			shown = append(shown, s.shown(endpoint, d))
		}
	}
	return 200, Doc{"totalResults": len(all), "startIndex": start, "itemsPerPage": len(shown), "Resources": shown}
}

// list lists no more than it is asked for, even where it ignores the filter.
func (s *Target) list(endpoint string, query url.Values) (int, any) {
	attribute, rest, _ := strings.Cut(query.Get("filter"), " eq ")
	var value string
	if json.Unmarshal([]byte(rest), &value) != nil || s.Quirks.NoFilter || attribute == "externalId" && s.Quirks.NoExternalIDFilter {
		return refusal(400, "invalidFilter")
	}
	found := s.matching(endpoint, attribute, value, s.Quirks.FoldsCase)
	switch {
	case s.Quirks.IgnoresFilter:
		found = s.matching(endpoint, "", "", false)
	case s.Quirks.FindsNobody:
		found = nil
	}
	shown := []Doc{}
	for _, d := range found {
		if count, err := strconv.Atoi(query.Get("count")); err != nil || len(shown) < count {
			shown = append(shown, s.shown(endpoint, d))
		}
	}
	return 200, Doc{"totalResults": len(found), "Resources": shown}
}

// Members returns the ids of the members of the group with this name.
func (s *Target) Members(group string) []string {
	ids := []string{}
	for _, g := range s.All("Groups", "displayName", group) {
		list, _ := g["members"].([]any)
		for _, m := range list {
			ids = append(ids, m.(Doc)["value"].(string))
		}
	}
	return ids
}
