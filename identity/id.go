package identity

import "strings"

// IsID reports whether s is a UUID as jithook writes them: in lower case. Whether
// there is such an identity or record is another question.
func IsID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for n, r := range s {
		hyphen := n == 8 || n == 13 || n == 18 || n == 23
		if hyphen != (r == '-') || !hyphen && !strings.ContainsRune("0123456789abcdef", r) {
			return false
		}
	}
	return true
}
