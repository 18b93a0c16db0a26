// Package deploy holds the files that people put next to jithook: the Jsonnet
// templates that run inside Ory Kratos, and sample providers.
//
// It owns their text and nothing that acts: package kratos renders the
// templates, and `jithook dev` starts from a sample. It imports nothing of
// this module.
package deploy

import "embed"

// FS holds every file of this folder that the binary needs:
//
//   - kratos/body.jsonnet, the body of every web hook that Kratos sends: a
//     function of Kratos's hook context.
//
//   - kratos/mapper.jsonnet, the OpenID Connect mapper: a function of the
//     constants of one provider; package kratos applies it.
//
//   - providers: acme.yaml, which explains every key and which `jithook dev`
//     starts with, and samples for the usual providers; beside each its cases
//     (_test.yaml) and the claims that its provider sends (.schema.json).
//
//   - schemas/*.json, the JSON Schemas of the files, for editors; `jithook
//     schema` prints the same.
//
//go:embed kratos/*.jsonnet providers/*.yaml providers/*.json schemas/*.json
var FS embed.FS
