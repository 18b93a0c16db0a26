package setup

import (
	"slices"

	"github.com/jithook/jithook/kratos"
)

// Wanted returns the lists that a configuration should have: those of the document
// and, where a method is on that the document does not know, the one that Kratos
// runs for it. Ory Network has such methods, saml for one.
func Wanted(config map[string]any, doc kratos.Document) []kratos.List {
	lists := doc.Lists()
	after := []string{"selfservice", "flows", "login", "after"}
	known := append(kratos.LoginMethods(), "captcha", "link", "profile") // these three sign nobody in
	for _, method := range members(At(config, "selfservice", "methods")) {
		if slices.Contains(known, method) || At(config, "selfservice", "methods", method, "enabled") != true {
			continue
		}
		path := slices.Concat(after, []string{method, "hooks"})
		if own, _ := At(config, path...).([]any); len(own) == 0 {
			path = slices.Concat(after, []string{"hooks"})
		}
		if !slices.ContainsFunc(lists, func(l kratos.List) bool { return slices.Equal(l.Path, path) }) {
			lists = append(lists, kratos.List{Path: path, Hooks: doc.SelfService.Flows.Recovery.After.Hooks})
		}
	}
	return lists
}
