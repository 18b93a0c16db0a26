package main

import (
	"time"

	"github.com/jithook/jithook/internal/strictyaml"
)

// configFile is the schema of jithook.yaml, as it is written. A field with a
// missing tag must be there.
type configFile struct {
	Listen     *strictyaml.Text              `yaml:"listen"`
	Admin      adminSection                  `yaml:"admin" missing:"the admin API is never open; write admin: {token: env:JITHOOK_ADMIN_TOKEN}"`
	Auth       authSection                   `yaml:"auth" missing:"without a credential every caller would be refused"`
	Store      storeSection                  `yaml:"store" missing:"where the identities are; write store: {bolt: {path: jithook.db}}"`
	Userstores strictyaml.Map[ownSection]    `yaml:"userstores"`
	Providers  strictyaml.Text               `yaml:"providers" missing:"the folder of the providers' files"`
	Kratos     kratosSection                 `yaml:"kratos"`
	Network    networkSection                `yaml:"network"`
	Outbound   strictyaml.Map[targetSection] `yaml:"outbound"`
	Log        logSection                    `yaml:"log"`
	Decisions  decisionsSection              `yaml:"decisions"`
	Lifecycle  lifecycleSection              `yaml:"lifecycle"`
}

type adminSection struct {
	Listen *strictyaml.Text `yaml:"listen"`
	Token  strictyaml.Text  `yaml:"token" missing:"env:NAME or file:PATH"`
}

// secretValues are the secrets of one credential: one, or while it is exchanged
// the new and the old one.
type secretValues = strictyaml.OneOrMany[strictyaml.Text]

type authSection struct {
	strictyaml.Pos

	APIKeys        []apiKeySection  `yaml:"api_keys"`
	Basic          []basicSection   `yaml:"basic"`
	WebhookSecrets []webhookSection `yaml:"webhook_secrets"`
}

type apiKeySection struct {
	Name      strictyaml.Text   `yaml:"name" missing:"records and logs name the caller by it"`
	Header    *strictyaml.Text  `yaml:"header"`
	Value     secretValues      `yaml:"value" missing:"env:NAME or file:PATH, or a list of two: the new and the old one"`
	Endpoints []strictyaml.Text `yaml:"endpoints" missing:"a list of kratos and login"`
	Providers []strictyaml.Text `yaml:"providers" missing:"the providers that this credential may speak for, or [\"*\"]"`
	Instance  *strictyaml.Text  `yaml:"instance"`
}

type basicSection struct {
	Name      strictyaml.Text   `yaml:"name" missing:"records and logs name the caller by it"`
	User      strictyaml.Text   `yaml:"user" missing:"the user that the caller sends"`
	Password  secretValues      `yaml:"password" missing:"env:NAME or file:PATH, or a list of two: the new and the old one"`
	Endpoints []strictyaml.Text `yaml:"endpoints" missing:"a list of kratos and login"`
	Providers []strictyaml.Text `yaml:"providers" missing:"the providers that this credential may speak for, or [\"*\"]"`
	Instance  *strictyaml.Text  `yaml:"instance"`
}

type webhookSection struct {
	Name      strictyaml.Text   `yaml:"name" missing:"records and logs name the caller by it"`
	Value     secretValues      `yaml:"value" missing:"env:NAME or file:PATH of a secret that begins with whsec_, or a list of two: the new and the old one"`
	Providers []strictyaml.Text `yaml:"providers" missing:"the providers that this credential may speak for, or [\"*\"]"`
}

type storeSection struct {
	strictyaml.Pos

	Bolt    *boltSection  `yaml:"bolt"`
	MongoDB *mongoSection `yaml:"mongodb"`
}

// ownSection is a userstore: with neither of the two its identities are in the
// home store.
type ownSection struct {
	Bolt    *boltSection  `yaml:"bolt"`
	MongoDB *mongoSection `yaml:"mongodb"`
}

type boltSection struct {
	Path strictyaml.Text `yaml:"path" missing:"the file that holds the identities"`
}

type mongoSection struct {
	URI      strictyaml.Text `yaml:"uri" missing:"env:NAME or file:PATH; it holds a password"`
	Database strictyaml.Text `yaml:"database" missing:"the name of the database"`
}

type kratosSection struct {
	Instances     strictyaml.Map[instanceSection] `yaml:"instances"`
	HookURL       *strictyaml.Text                `yaml:"hook_url"`
	RestoreTraits []strictyaml.Text               `yaml:"restore_traits"`
}

type instanceSection struct {
	AdminURL strictyaml.Text  `yaml:"admin_url" missing:"the URL of this Kratos's Admin API, such as http://127.0.0.1:4434"`
	Token    *strictyaml.Text `yaml:"token"`
}

type networkSection struct {
	AllowAddresses []strictyaml.Text `yaml:"allow_addresses"`
}

// targetSection is another system that is told of identities.
type targetSection struct {
	SCIM    *scimSection                          `yaml:"scim"`
	Webhook *receiverSection                      `yaml:"webhook"`
	Rules   strictyaml.OneOrMany[strictyaml.Text] `yaml:"rules"`
	// OnFailure makes a login wait until the target knows.
	OnFailure *strictyaml.Text `yaml:"on_failure"`
}

// receiverSection is a target that is told by signed messages.
type receiverSection struct {
	URL    strictyaml.Text `yaml:"url" missing:"where messages are posted to, such as https://crm.example/jithook"`
	Secret secretValues    `yaml:"secret" missing:"env:NAME or file:PATH of the secret that signs, which begins with whsec_, or a list of two: the new and the old one"`
}

type scimSection struct {
	URL           strictyaml.Text                 `yaml:"url" missing:"the base of the service's endpoints, such as https://hr.example/scim/v2"`
	Auth          targetAuthSection               `yaml:"auth" missing:"one of bearer, basic and oauth2"`
	Attributes    strictyaml.Map[strictyaml.Text] `yaml:"attributes" missing:"what an account has, userName at least: {userName: identity.traits.email}"`
	Enterprise    strictyaml.Map[strictyaml.Text] `yaml:"enterprise"`
	Groups        *strictyaml.Text                `yaml:"groups"`
	Patch         *strictyaml.Text                `yaml:"patch"`
	Lookup        *strictyaml.Text                `yaml:"lookup"`
	OnDeprovision *strictyaml.Text                `yaml:"on_deprovision"`
	Adopt         bool                            `yaml:"adopt"`
	DryRun        bool                            `yaml:"dry_run"`
}

type targetAuthSection struct {
	strictyaml.Pos

	Bearer *strictyaml.Text    `yaml:"bearer"`
	Basic  *targetBasicSection `yaml:"basic"`
	OAuth2 *oauth2Section      `yaml:"oauth2"`
}

type targetBasicSection struct {
	User     strictyaml.Text `yaml:"user" missing:"the user at the target"`
	Password strictyaml.Text `yaml:"password" missing:"env:NAME or file:PATH"`
}

type oauth2Section struct {
	TokenURL     strictyaml.Text   `yaml:"token_url" missing:"where tokens are given out"`
	ClientID     strictyaml.Text   `yaml:"client_id" missing:"jithook's id there"`
	ClientSecret strictyaml.Text   `yaml:"client_secret" missing:"env:NAME or file:PATH"`
	Scopes       []strictyaml.Text `yaml:"scopes"`
	Audience     *strictyaml.Text  `yaml:"audience"`
}

type logSection struct {
	Level  *strictyaml.Text `yaml:"level"`
	Format *strictyaml.Text `yaml:"format"`
}

type decisionsSection struct {
	Retention    *retention       `yaml:"retention"`
	RecordClaims *strictyaml.Text `yaml:"record_claims"`
	Keys         []keySection     `yaml:"keys"`
}

type keySection struct {
	ID    strictyaml.Text `yaml:"id" missing:"records name the key by it, such as \"2026-11\""`
	Value strictyaml.Text `yaml:"value" missing:"env:NAME or file:PATH of 32 bytes in base64"`
}

type lifecycleSection struct {
	Sweep      *interval      `yaml:"sweep"`
	Quarantine *time.Duration `yaml:"quarantine"`
}

// interval is how often the server sweeps by itself; 0 is never.
type interval time.Duration

// DecodeYAML implements strictyaml.Decoder.
func (i *interval) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	var d time.Duration
	if problems := n.Decode(&d); len(problems) > 0 {
		return problems
	}
	if d != 0 && d < minSweep {
		return []strictyaml.Problem{n.Problemf("a sweep looks at every identity: 1m at least, or 0 for never")}
	}
	*i = interval(d)
	return nil
}

// retention is how long decision records are kept.
type retention time.Duration

// DecodeYAML implements strictyaml.Decoder. It refuses 0, which others take for
// "for ever" and which would drop the answer to "why?" before anybody asked.
func (r *retention) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	var d time.Duration
	if problems := n.Decode(&d); len(problems) > 0 {
		return problems
	}
	if d < minRetention {
		return []strictyaml.Problem{n.Problemf("decision records are kept for 1h at least")}
	}
	*r = retention(d)
	return nil
}
