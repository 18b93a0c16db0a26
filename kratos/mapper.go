package kratos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/jithook/jithook/deploy"
)

// BodyMark begins every body of a hook that jithook has rendered, and MapperMark
// stands in every mapper: what is known by them is ours, wherever it stands.
const (
	BodyMark   = "// The body of every request that Ory Kratos sends to jithook"
	MapperMark = "// The OpenID Connect mapper of one provider, as `jithook kratos config` puts"
)

// constants are the parameter of deploy/kratos/mapper.jsonnet.
type constants struct {
	Provider string          `json:"provider"`
	Issuer   *string         `json:"issuer"`
	Subject  []string        `json:"subject"` // nil: Kratos's own
	Claims   []string        `json:"claims"`  // nil: all
	Traits   []traitConstant `json:"traits"`
	Keep     bool            `json:"keep"`
}

type traitConstant struct {
	Path  []string   `json:"path"`
	Paths [][]string `json:"paths"`
}

// mapper returns the mapper of p: the template, applied to the provider's
// constants. They enter as JSON, which is Jsonnet too: nothing in a provider's
// file can become code that runs inside Kratos.
func (p Provider) mapper() ([]byte, error) {
	template, err := fs.ReadFile(deploy.FS, "kratos/mapper.jsonnet")
	if err != nil {
		return nil, err
	}
	c := constants{Provider: p.ID, Subject: p.Subject, Claims: p.names(), Traits: []traitConstant{}, Keep: p.Keep}
	if len(p.Issuers) == 1 {
		c.Issuer = &p.Issuers[0]
	}
	for _, t := range p.Traits {
		c.Traits = append(c.Traits, traitConstant{t.Path, t.ClaimPaths})
	}
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "local config = %s;\n\n(\n%s)(config)\n", config, template)
	return b.Bytes(), nil
}
