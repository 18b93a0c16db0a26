package provider

import "github.com/jithook/jithook/internal/strictyaml"

// file is the schema of a provider's file, as it is written.
type file struct {
	strictyaml.Pos

	Version  strictyaml.Text                       `yaml:"version"`
	Provider strictyaml.Text                       `yaml:"provider"`
	Issuer   strictyaml.OneOrMany[strictyaml.Text] `yaml:"issuer"`
	Claims   *claimsSection                        `yaml:"claims"`
	Trust    *trustSection                         `yaml:"trust"`
	JIT      *jitSection                           `yaml:"jit"`
	Traits   strictyaml.Map[traitSection]          `yaml:"traits"`
	Groups   *groupsSection                        `yaml:"groups"`
}

type claimsSection struct {
	Source strictyaml.OneOrMany[strictyaml.Text] `yaml:"source"`
}

type trustSection struct {
	AuthoritativeDomains []strictyaml.Text `yaml:"authoritative_domains"`
	EmailVerified        bool              `yaml:"email_verified"`
}

type jitSection struct {
	strictyaml.Pos

	Enabled   *bool            `yaml:"enabled"`
	Userstore *strictyaml.Text `yaml:"userstore"`
	Allow     *strictyaml.Text `yaml:"allow"`
	Deny      []denySection    `yaml:"deny"`
}

type denySection struct {
	strictyaml.Pos

	When    *strictyaml.Text `yaml:"when"`
	Code    *strictyaml.Text `yaml:"code"`
	Message *strictyaml.Text `yaml:"message"`
}

type traitSection struct {
	strictyaml.Pos

	Value     strictyaml.OneOrMany[strictyaml.Text] `yaml:"value"`
	Verified  *strictyaml.Text                      `yaml:"verified"`
	Canonical *strictyaml.Text                      `yaml:"canonical"`
	Unique    bool                                  `yaml:"unique"`
	Required  bool                                  `yaml:"required"`
	Absent    *strictyaml.Text                      `yaml:"absent"`
	Default   any                                   `yaml:"default"`
}

type groupsSection struct {
	strictyaml.Pos

	From   *strictyaml.Text                `yaml:"from"`
	Allow  []strictyaml.Text               `yaml:"allow"`
	Map    strictyaml.Map[strictyaml.Text] `yaml:"map"`
	Absent *strictyaml.Text                `yaml:"absent"`
}
