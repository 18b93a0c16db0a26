package policy

// Schemes: what a first login does where the claims alone are not enough.
const (
	SchemeSilent  = "silent"  // the person is asked nothing: the login is denied
	SchemeConsent = "consent" // the person is asked to accept something
	SchemePrompt  = "prompt"  // the person is asked for the required traits that are missing
)

// Consent is what a person must have accepted to have an account.
type Consent struct {
	// Path is the trait in which the answer stands, a JSON Pointer into the
	// traits. No claim makes it.
	Path string
	// Version tells what is to be accepted from what was accepted before.
	Version string
}

// Prompts reports whether a person is asked for required traits that are
// missing.
func (p *Policy) Prompts() bool { return p.scheme == SchemePrompt }

// Consent returns what a person must have accepted, if anything.
func (p *Policy) Consent() (c Consent, ok bool) {
	if p.consent == nil {
		return Consent{}, false
	}
	return *p.consent, true
}
