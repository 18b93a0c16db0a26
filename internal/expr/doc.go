// Package expr is the language in which operators write rules and mappings:
// CEL (the Common Expression Language), compiled with the place in the file,
// evaluated within a cost limit and a deadline.
//
// It owns what an expression can see (claims, login, identity), what it yields
// (JSON values) and the difference between a claim that is missing and an
// expression that failed. It must not know what a result is used for, nor what
// YAML is. No error text contains a value that an expression saw.
package expr
