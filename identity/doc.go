// Package identity is the vocabulary of jithook: the login that a hook
// presents, the identity that a userstore holds, the decision that was made
// about the one in the light of the other, and the words for why.
//
// It owns names and the shape of data, and nothing that acts: no I/O, no
// clock, no policy. Every other package imports it; it imports the standard
// library only.
package identity

//go:generate go test -run TestREADMETable . -update
