package main

import (
	"time"

	"github.com/jithook/jithook/internal/strictyaml"
)

// configFile is the schema of jithook.yaml, as it is written.
type configFile struct {
	strictyaml.Pos

	Listen     *strictyaml.Text         `yaml:"listen"`
	Admin      *adminSection            `yaml:"admin"`
	Auth       *authSection             `yaml:"auth"`
	Store      *storeSection            `yaml:"store"`
	Userstores strictyaml.Map[struct{}] `yaml:"userstores"`
	Providers  *strictyaml.Text         `yaml:"providers"`
	Kratos     *kratosSection           `yaml:"kratos"`
	Log        *logSection              `yaml:"log"`
	Decisions  *decisionsSection        `yaml:"decisions"`
}

type adminSection struct {
	strictyaml.Pos

	Listen *strictyaml.Text `yaml:"listen"`
	Token  *strictyaml.Text `yaml:"token"`
}

type authSection struct {
	strictyaml.Pos

	APIKeys []apiKeySection `yaml:"api_keys"`
	Basic   []basicSection  `yaml:"basic"`
}

type apiKeySection struct {
	strictyaml.Pos

	Name      *strictyaml.Text  `yaml:"name"`
	Header    *strictyaml.Text  `yaml:"header"`
	Value     *strictyaml.Text  `yaml:"value"`
	Endpoints []strictyaml.Text `yaml:"endpoints"`
	Providers []strictyaml.Text `yaml:"providers"`
	Instance  *strictyaml.Text  `yaml:"instance"`
}

type basicSection struct {
	strictyaml.Pos

	Name      *strictyaml.Text  `yaml:"name"`
	User      *strictyaml.Text  `yaml:"user"`
	Password  *strictyaml.Text  `yaml:"password"`
	Endpoints []strictyaml.Text `yaml:"endpoints"`
	Providers []strictyaml.Text `yaml:"providers"`
	Instance  *strictyaml.Text  `yaml:"instance"`
}

type storeSection struct {
	strictyaml.Pos

	Bolt *boltSection `yaml:"bolt"`
}

type boltSection struct {
	strictyaml.Pos

	Path *strictyaml.Text `yaml:"path"`
}

type kratosSection struct {
	HookURL       *strictyaml.Text  `yaml:"hook_url"`
	RestoreTraits []strictyaml.Text `yaml:"restore_traits"`
}

type logSection struct {
	Level  *strictyaml.Text `yaml:"level"`
	Format *strictyaml.Text `yaml:"format"`
}

type decisionsSection struct {
	Retention time.Duration `yaml:"retention"`
}
