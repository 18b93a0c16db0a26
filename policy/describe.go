package policy

import "github.com/jithook/jithook/internal/expr"

// Kinds of a RuleInfo.
const (
	KindDeny      = "deny"
	KindAllow     = "allow"
	KindUserstore = "userstore"
	KindLookup    = "lookup"
	KindProtected = "protected"
)

// RuleInfo is what can be said of a rule without a login.
type RuleInfo struct {
	Kind string
	// Name is the operator's own of a deny rule, and of a lookup rule the path
	// of the stored trait.
	Name    string
	Program *expr.Program
}

// Describe returns the rules in the order in which a login asks them: where the
// identity belongs, whose it is, whether it may.
func (p *Policy) Describe() []RuleInfo {
	var all []RuleInfo
	if p.from != nil {
		all = append(all, RuleInfo{Kind: KindUserstore, Program: p.from})
	}
	for _, rule := range p.linking.lookup {
		all = append(all, RuleInfo{Kind: KindLookup, Name: rule.Path, Program: rule.federated})
	}
	for _, d := range p.deny {
		all = append(all, RuleInfo{Kind: KindDeny, Name: d.code, Program: d.when})
	}
	if p.allow != nil {
		all = append(all, RuleInfo{Kind: KindAllow, Program: p.allow})
	}
	if p.linking.protected != nil {
		all = append(all, RuleInfo{Kind: KindProtected, Program: p.linking.protected})
	}
	return all
}
