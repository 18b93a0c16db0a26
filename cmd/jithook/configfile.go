package main

import (
	"time"

	"github.com/jithook/jithook/internal/strictyaml"
)

// configFile is the schema of jithook.yaml, as it is written. A field with a
// missing tag must be there.
type configFile struct {
	Listen     *strictyaml.Text              `yaml:"listen" doc:"Where the hooks, /livez and /readyz are: host:port. Default 127.0.0.1:4480." pattern:"^.*:[0-9]+$"`
	Admin      adminSection                  `yaml:"admin" missing:"the admin API is never open; write admin: {token: env:JITHOOK_ADMIN_TOKEN}" doc:"The admin API and /metrics. It is never open."`
	Auth       authSection                   `yaml:"auth" missing:"without a credential every caller would be refused" doc:"Who may call the hooks: at least one credential."`
	Store      storeSection                  `yaml:"store" missing:"where the identities are; write store: {bolt: {path: jithook.db}}" doc:"Where the identities are: one of bolt and mongodb."`
	Userstores strictyaml.Map[ownSection]    `yaml:"userstores" doc:"The userstores that jit.userstore of a provider's file may name; without bolt and mongodb their identities are in store."`
	Providers  strictyaml.Text               `yaml:"providers" missing:"the folder of the providers' files" doc:"The folder of the providers' files."`
	Shadow     *shadowSection                `yaml:"shadow" doc:"Candidates for the providers' files: they decide some logins too, and what would differ is counted and recorded."`
	Kratos     kratosSection                 `yaml:"kratos" doc:"The Ory Kratos that calls, and its Admin API."`
	Network    networkSection                `yaml:"network" doc:"Which addresses jithook itself may call."`
	Outbound   strictyaml.Map[targetSection] `yaml:"outbound" doc:"Other systems that are told of identities."`
	Log        logSection                    `yaml:"log" doc:"What is logged, and how."`
	Telemetry  *telemetrySection             `yaml:"telemetry" doc:"Traces of OpenTelemetry. Default: none."`
	Decisions  decisionsSection              `yaml:"decisions" doc:"The decision records."`
	Lifecycle  lifecycleSection              `yaml:"lifecycle" doc:"What becomes of identities that nobody uses."`
}

type adminSection struct {
	Listen *strictyaml.Text `yaml:"listen" doc:"Where the admin API is: host:port. Default 127.0.0.1:4481." pattern:"^.*:[0-9]+$"`
	Token  strictyaml.Text  `yaml:"token" missing:"env:NAME or file:PATH" doc:"What callers of the admin API prove themselves with: env:NAME or file:PATH."`
}

// secretValues are the secrets of one credential: one, or while it is exchanged
// the new and the old one.
type secretValues = strictyaml.OneOrMany[strictyaml.Text]

type authSection struct {
	strictyaml.Pos

	APIKeys        []apiKeySection  `yaml:"api_keys" doc:"Callers that send a key."`
	Basic          []basicSection   `yaml:"basic" doc:"Callers that send a user and a password."`
	WebhookSecrets []webhookSection `yaml:"webhook_secrets" doc:"Callers that sign their requests (Standard Webhooks)."`
}

type apiKeySection struct {
	Name      strictyaml.Text   `yaml:"name" missing:"records and logs name the caller by it"`
	Header    *strictyaml.Text  `yaml:"header" doc:"The header that the key comes in. Default X-API-Key."`
	Value     secretValues      `yaml:"value" missing:"env:NAME or file:PATH, or a list of two: the new and the old one"`
	Endpoints []strictyaml.Text `yaml:"endpoints" missing:"a list of kratos and login" doc:"What it may call: kratos is /hooks/kratos/…, login is /hooks/login." enum:"kratos,login"`
	Providers []strictyaml.Text `yaml:"providers" missing:"the providers that this credential may speak for, or [\"*\"]"`
	Instance  *strictyaml.Text  `yaml:"instance" doc:"Which of several identity servers it is. Default main."`
}

type basicSection struct {
	Name      strictyaml.Text   `yaml:"name" missing:"records and logs name the caller by it"`
	User      strictyaml.Text   `yaml:"user" missing:"the user that the caller sends"`
	Password  secretValues      `yaml:"password" missing:"env:NAME or file:PATH, or a list of two: the new and the old one"`
	Endpoints []strictyaml.Text `yaml:"endpoints" missing:"a list of kratos and login" doc:"What it may call: kratos is /hooks/kratos/…, login is /hooks/login." enum:"kratos,login"`
	Providers []strictyaml.Text `yaml:"providers" missing:"the providers that this credential may speak for, or [\"*\"]"`
	Instance  *strictyaml.Text  `yaml:"instance" doc:"Which of several identity servers it is. Default main."`
}

type webhookSection struct {
	Name      strictyaml.Text   `yaml:"name" missing:"records and logs name the caller by it"`
	Value     secretValues      `yaml:"value" missing:"env:NAME or file:PATH of a secret that begins with whsec_, or a list of two: the new and the old one"`
	Providers []strictyaml.Text `yaml:"providers" missing:"the providers that this credential may speak for, or [\"*\"]"`
	Instance  *strictyaml.Text  `yaml:"instance" doc:"Which of several identity servers it is. Default main."`
}

type storeSection struct {
	strictyaml.Pos

	Bolt    *boltSection  `yaml:"bolt" doc:"One file on this machine."`
	MongoDB *mongoSection `yaml:"mongodb" doc:"A MongoDB, for several servers."`
}

// ownSection is a userstore: with neither of the two its identities are in the
// home store.
type ownSection struct {
	Bolt    *boltSection  `yaml:"bolt" doc:"One file on this machine."`
	MongoDB *mongoSection `yaml:"mongodb" doc:"A MongoDB, for several servers."`
}

type boltSection struct {
	Path strictyaml.Text `yaml:"path" missing:"the file that holds the identities"`
}

type mongoSection struct {
	URI      strictyaml.Text `yaml:"uri" missing:"env:NAME or file:PATH; it holds a password"`
	Database strictyaml.Text `yaml:"database" missing:"the name of the database"`
}

// shadowSection names candidates for the providers' files: their folder alone, or
// a mapping with it.
type shadowSection struct{ shadowForm }

type shadowForm struct {
	Providers strictyaml.Text `yaml:"providers" missing:"the folder of the candidates for the providers' files" doc:"The folder of the candidates: the whole of it."`
	Sample    *sample         `yaml:"sample" doc:"Which part of the logins is compared, above 0 and at most 1. Default 0.1."`
}

type kratosSection struct {
	Instances     strictyaml.Map[instanceSection] `yaml:"instances" doc:"The Kratoses whose Admin API jithook may call, by the instance of their key."`
	HookURL       *strictyaml.Text                `yaml:"hook_url" doc:"Where Kratos reaches this server. Default http:// and listen, if that names one address." pattern:"^https?://"`
	RestoreTraits []strictyaml.Text               `yaml:"restore_traits" doc:"The traits of Kratos's identity schema, where it lacks some of those that the providers' files map."`
}

type instanceSection struct {
	AdminURL strictyaml.Text  `yaml:"admin_url" missing:"the URL of this Kratos's Admin API, such as http://127.0.0.1:4434"`
	Token    *strictyaml.Text `yaml:"token" doc:"What its Admin API asks for: env:NAME or file:PATH."`
}

type networkSection struct {
	AllowAddresses []strictyaml.Text `yaml:"allow_addresses" doc:"Addresses and networks that are not public and may be called."`
}

// targetSection is another system that is told of identities.
type targetSection struct {
	SCIM    *scimSection                          `yaml:"scim" doc:"A service of SCIM 2.0."`
	Webhook *receiverSection                      `yaml:"webhook" doc:"A receiver of signed messages."`
	Rules   strictyaml.OneOrMany[strictyaml.Text] `yaml:"rules" doc:"Expressions over identity, groups and login (provider, issuer, at), of which all must be true of whom the target is told of."`
	// OnFailure makes a login wait until the target knows.
	OnFailure *strictyaml.Text `yaml:"on_failure" doc:"deny has a login wait until the target knows." enum:"continue,deny"`
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
	Enterprise    strictyaml.Map[strictyaml.Text] `yaml:"enterprise" doc:"Attributes of the enterprise extension."`
	Groups        *strictyaml.Text                `yaml:"groups" doc:"Which groups of the target get members: known are those that it has, create also makes those that it lacks. Default known; it must be none with lookup: none." enum:"known,create,none"`
	Patch         *strictyaml.Text                `yaml:"patch" doc:"How an account is changed. Default auto." enum:"auto,rfc,microsoft,put"`
	Lookup        *strictyaml.Text                `yaml:"lookup" doc:"How an account is found after a reply was lost. Default external_id." enum:"external_id,user_name,none"`
	OnDeprovision *strictyaml.Text                `yaml:"on_deprovision" doc:"What becomes of the account of somebody who is deprovisioned. Default deactivate." enum:"deactivate,delete"`
	Adopt         bool                            `yaml:"adopt" doc:"true takes over an account of the same name that is nobody's."`
	DryRun        bool                            `yaml:"dry_run" doc:"true asks and changes nothing."`
}

type targetAuthSection struct {
	strictyaml.Pos

	Bearer *strictyaml.Text    `yaml:"bearer" doc:"A token: env:NAME or file:PATH."`
	Basic  *targetBasicSection `yaml:"basic" doc:"A user and a password."`
	OAuth2 *oauth2Section      `yaml:"oauth2" doc:"Client credentials."`
}

type targetBasicSection struct {
	User     strictyaml.Text `yaml:"user" missing:"the user at the target"`
	Password strictyaml.Text `yaml:"password" missing:"env:NAME or file:PATH"`
}

type oauth2Section struct {
	TokenURL     strictyaml.Text   `yaml:"token_url" missing:"where tokens are given out"`
	ClientID     strictyaml.Text   `yaml:"client_id" missing:"jithook's id there"`
	ClientSecret strictyaml.Text   `yaml:"client_secret" missing:"env:NAME or file:PATH"`
	Scopes       []strictyaml.Text `yaml:"scopes" doc:"The scopes to ask for."`
	Audience     *strictyaml.Text  `yaml:"audience" doc:"Whom the token is for."`
}

type logSection struct {
	Level  *strictyaml.Text `yaml:"level" doc:"What is logged from this on. Default info." enum:"debug,info,warn,error"`
	Format *strictyaml.Text `yaml:"format" doc:"Default json." enum:"json,text"`
}

// telemetrySection says where traces go.
type telemetrySection struct {
	Endpoint strictyaml.Text `yaml:"endpoint" missing:"the URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318" doc:"A collector that takes OTLP over HTTP; without a path, /v1/traces there."`
	Sample   *sample         `yaml:"sample" doc:"Which part of the traces that begin here is kept, above 0 and at most 1; what the caller has sampled always is. Default 1."`

	Headers strictyaml.Map[strictyaml.Text] `yaml:"headers" doc:"Headers that the collector asks for, by name: env:NAME or file:PATH."`
}

type decisionsSection struct {
	Retention    *retention       `yaml:"retention" doc:"How long decision records are kept. Default 30d."`
	RecordClaims *strictyaml.Text `yaml:"record_claims" doc:"What records keep of the claims. Default off; anything else needs keys." enum:"off,hashed,full"`
	Keys         []keySection     `yaml:"keys" doc:"The keys that claims are kept under, the newest first."`
}

type keySection struct {
	ID    strictyaml.Text `yaml:"id" missing:"records name the key by it, such as \"2026-11\""`
	Value strictyaml.Text `yaml:"value" missing:"env:NAME or file:PATH of 32 bytes in base64"`
}

type lifecycleSection struct {
	Sweep      *interval      `yaml:"sweep" doc:"How often the server looks for whom time has caught up with. Default 1h; 0 is never."`
	Quarantine *time.Duration `yaml:"quarantine" doc:"How long the names of closed accounts stay taken. Default 90d; 0 is for ever."`
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
