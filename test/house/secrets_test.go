package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// comparers are the functions that hold what a caller sent to a secret.
var comparers = map[string]string{
	"hook/auth.go":              "sent",
	"hook/webhook.go":           "signed",
	"admin/admin.go":            "authenticate",
	"claims/idtoken/idtoken.go": "tie",
}

// TestS7_ConstantTime: time tells nothing of a secret. No test can see that from
// outside, so the source is read: these functions compare with crypto/subtle or
// hmac.Equal, and with no function that stops at the first difference.
func TestS7_ConstantTime(t *testing.T) {
	for file, name := range comparers {
		parsed, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		constant := false
		for _, d := range parsed.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != name {
				continue
			}
			within(fn, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					from, _ := s.X.(*ast.Ident)
					switch {
					case from == nil:
					case from.Name == "subtle" && s.Sel.Name == "ConstantTimeCompare", from.Name == "hmac" && s.Sel.Name == "Equal":
						constant = true
					case (from.Name == "bytes" || from.Name == "slices" || from.Name == "strings") && (s.Sel.Name == "Equal" || s.Sel.Name == "Compare" || s.Sel.Name == "EqualFold"):
						t.Errorf("%s: %s compares with %s.%s", file, name, from.Name, s.Sel.Name)
					}
				}
				return false
			})
		}
		if !constant {
			t.Errorf("%s: %s does not compare in constant time", file, name)
		}
	}
}
