package rules

import (
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/strictyaml"
)

// Case is one login and what must become of it.
type Case struct {
	File *File
	Name strictyaml.Text
	// Todo says why the case need not pass yet; empty if it must.
	Todo string
	// Claims are the provider's.
	Claims map[string]any
	// Identity is whom the login is about; nil for a first login.
	Identity *Person
	// Recorded is the login, where it is one that has been, with one offer of
	// Claims: nil for one that is made up for them.
	Recorded *identity.Login
	Want     Want
}

// File is a file of cases.
type File struct {
	Name string
	// Provider is the id of the provider whose file is tried.
	Provider strictyaml.Text
	Cases    []*Case
}

// Person is an identity before a login, as far as rules can tell. ID and
// Userstore may be empty: something stands for them.
type Person struct {
	ID, Userstore string

	Traits map[string]any
	Groups []string
	// Written says who wrote a trait, and Granted who granted a group, by their
	// names: "admin", "provider:other". What is not there is this provider's.
	Written, Granted map[string]string
	// Verified says who vouches for a trait, by their names.
	Verified map[string]string
	// Providers are others that the person has a subject of.
	Providers []string
	State     identity.State
}

// Want is what must become of a login; what is nil or empty is not asked.
type Want struct {
	Decision, Code string
	// Path is what the first reason is about, a JSON Pointer; Rule the
	// operator's name of the deny rule.
	Path, Rule string
	// Traits are all there are afterwards, and Groups.
	Traits map[string]any
	Groups *[]string
	// Verified are all traits whose value counts as verified afterwards: names,
	// and JSON Pointers of those inside others.
	Verified *[]string
}

// ofPerson reports whether somebody must have come of it.
func (w Want) ofPerson() bool { return w.Traits != nil || w.Groups != nil || w.Verified != nil }

// fileForm is the schema of a file with cases.
type fileForm struct {
	Version  strictyaml.Text `yaml:"version" missing:"write version: 1"`
	Provider strictyaml.Text `yaml:"provider" missing:"the id of the provider whose file is tried"`
	// Claims are those of every case; a case's own are put over them.
	Claims object     `yaml:"claims"`
	Cases  []caseForm `yaml:"cases" missing:"a list of cases: name, claims, want"`
}

type caseForm struct {
	Name     strictyaml.Text   `yaml:"name" missing:"what the case shows, in a few words"`
	Todo     *strictyaml.Text  `yaml:"todo"`
	Claims   object            `yaml:"claims"`
	Without  []strictyaml.Text `yaml:"without"`
	Identity *personForm       `yaml:"identity"`
	Want     wantForm          `yaml:"want" missing:"what must become of the login: decision, code, traits, groups"`
}

type personForm struct {
	Traits  object                          `yaml:"traits"`
	Written strictyaml.Map[strictyaml.Text] `yaml:"written"`
	Groups  []strictyaml.Text               `yaml:"groups"`
	Granted strictyaml.Map[strictyaml.Text] `yaml:"granted"`
	State   *strictyaml.Text                `yaml:"state"`
}

type wantForm struct {
	strictyaml.Pos

	Decision *strictyaml.Text   `yaml:"decision"`
	Code     *strictyaml.Text   `yaml:"code"`
	Path     *strictyaml.Text   `yaml:"path"`
	Rule     *strictyaml.Text   `yaml:"rule"`
	Traits   object             `yaml:"traits"`
	Groups   *[]strictyaml.Text `yaml:"groups"`
	Verified *[]strictyaml.Text `yaml:"verified"`
}

// object is a mapping of JSON values.
type object map[string]any

// DecodeYAML implements strictyaml.Decoder.
func (o *object) DecodeYAML(n strictyaml.Node) []Problem {
	var value any
	problems := n.Decode(&value)
	m, ok := value.(map[string]any)
	if !ok && len(problems) == 0 {
		return []Problem{n.Problemf("a mapping is needed, such as {email: ann@acme.example}")}
	}
	*o = m
	return problems
}
