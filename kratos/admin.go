package kratos

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	ory "github.com/ory/client-go"
)

// Bounds of one call of the Admin API. A call must leave room for the rest of a
// login within the hook's deadline.
const (
	callTimeout = time.Second
	maxReply    = 1 << 20 // bytes
)

// ErrNoIdentity says that Kratos has no identity with an id.
var ErrNoIdentity = errors.New("no identity with this id in Kratos")

// Admin is the Admin API of one Kratos. Its methods are safe for concurrent
// use. An error is in jithook's own words and holds nothing of the reply, which
// may show a person: it names the call and the status, or wraps the context's
// error or ErrNoIdentity.
type Admin struct {
	api *ory.APIClient
}

// StateTarget is the name, in outboxes, of the target that is a Kratos's own
// word on who may sign in.
func StateTarget(instance string) string { return "kratos:" + instance }

// CheckAdminURL returns what is wrong with the URL of an Admin API.
func CheckAdminURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") {
		return errors.New("the Admin API's URL must be absolute, http or https, without credentials, query and fragment: http://127.0.0.1:4434")
	}
	return nil
}

// NewAdmin returns the Admin API at a URL. The token is sent as a bearer token;
// a self-hosted Kratos needs none, and whoever reaches it may do everything.
func NewAdmin(base, token string) (*Admin, error) {
	if err := CheckAdminURL(base); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	return &Admin{newClient(base, token, callTimeout, traced{limited{transport, maxReply}})}, nil
}

// Account is an identity as its Kratos holds it.
type Account struct {
	ID     string
	Active bool
	// Credentials are those of federated sign-in; nil says that Kratos did not
	// tell, which is not "none".
	Credentials []Credential
	// Metadata is metadata_admin.jithook, nil where there is none.
	Metadata map[string]any
	// Traits are Kratos's own: at a registration that nobody checked, what the
	// person chose to say.
	Traits map[string]any
}

// Credential is the right to sign in as a subject of a provider.
type Credential struct{ Provider, Subject string }

func (c Credential) identifier() string { return c.Provider + ":" + c.Subject }

// Account returns the identity with this id, or ErrNoIdentity. It does not ask
// for the providers' tokens that Kratos keeps.
func (a *Admin) Account(ctx context.Context, id string) (Account, error) {
	_, reply, err := a.api.IdentityAPI.GetIdentity(ctx, id).Execute()
	var tree map[string]any
	if err := read(reply, err, "read an identity", &tree); err != nil {
		return Account{}, err
	}
	if tree["id"] != id {
		return Account{}, errors.New("admin API of Kratos: read an identity: the reply is about another one")
	}
	state, _ := tree["state"].(string)
	metadata, _ := tree["metadata_admin"].(map[string]any)
	ours, _ := metadata["jithook"].(map[string]any)
	traits, _ := tree["traits"].(map[string]any)
	return Account{ID: id, Active: state == "active", Credentials: credentials(tree), Metadata: ours, Traits: traits}, nil
}

// credentials returns the federated credentials of an identity, nil where the
// reply does not show credentials at all. A blank entry is left where an
// administrator has removed the last one (seen on v1.3.1).
func credentials(identity map[string]any) []Credential {
	all, ok := identity["credentials"].(map[string]any)
	if !ok {
		return nil
	}
	found := []Credential{}
	oidc, _ := all["oidc"].(map[string]any)
	identifiers, _ := oidc["identifiers"].([]any)
	for _, i := range identifiers {
		s, _ := i.(string)
		provider, subject, _ := strings.Cut(s, ":")
		if provider != "" && subject != "" {
			found = append(found, Credential{provider, subject})
		}
	}
	return found
}

// Gone reports whether Kratos has lost the identity with this id. A 404 alone
// would prove little, since any wrong address answers so: Kratos must also
// answer the list of that one id, with nothing in it.
func (a *Admin) Gone(ctx context.Context, id string) (bool, error) {
	_, err := a.Account(ctx, id)
	if !errors.Is(err, ErrNoIdentity) {
		return false, err
	}
	_, reply, err := a.api.IdentityAPI.ListIdentities(ctx).Ids([]string{id}).Execute()
	var list []any
	if err := read(reply, err, "list an identity", &list); err != nil {
		return false, err
	}
	return len(list) == 0, nil
}

// Holds reports whether any identity has a credential with this identifier,
// such as the e-mail address of a sign-in with a password.
func (a *Admin) Holds(ctx context.Context, identifier string) (bool, error) {
	ids, err := a.Holders(ctx, identifier)
	return len(ids) > 0, err
}

// Holders returns the ids of the identities that Holds is about, two at most.
func (a *Admin) Holders(ctx context.Context, identifier string) ([]string, error) {
	if identifier == "" {
		return nil, nil // Kratos would list everybody
	}
	_, reply, err := a.api.IdentityAPI.ListIdentities(ctx).CredentialsIdentifier(identifier).PageSize(2).Execute()
	var list []map[string]any
	if err := read(reply, err, "find a credential", &list); err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(list))
	for _, i := range list {
		id, _ := i["id"].(string)
		ids = append(ids, id)
	}
	return ids, nil
}

// RemoveCredential takes a federated credential from an identity, and does
// nothing if it is not there.
func (a *Admin) RemoveCredential(ctx context.Context, id string, c Credential) error {
	reply, err := a.api.IdentityAPI.DeleteIdentityCredentials(ctx, id, "oidc").Identifier(c.identifier()).Execute()
	err = read(reply, err, "remove a credential", nil)
	if errors.Is(err, ErrNoIdentity) {
		return nil
	}
	return err
}

// SetActive lets an identity sign in or, with false, not: Kratos then refuses
// every method by itself. ErrNoIdentity if there is none.
func (a *Admin) SetActive(ctx context.Context, id string, active bool) error {
	state := "inactive"
	if active {
		state = "active"
	}
	patch := []ory.JsonPatch{{Op: "replace", Path: "/state", Value: state}}
	_, reply, err := a.api.IdentityAPI.PatchIdentity(ctx, id).JsonPatch(patch).Execute()
	return read(reply, err, "set the state", nil)
}

// EndSessions ends every session of an identity. Having none is success, and
// Kratos does not tell it from there being no identity.
func (a *Admin) EndSessions(ctx context.Context, id string) error {
	reply, err := a.api.IdentityAPI.DeleteIdentitySessions(ctx, id).Execute()
	err = read(reply, err, "end the sessions", nil)
	if errors.Is(err, ErrNoIdentity) {
		return nil
	}
	return err
}

// read is answers.read of the Admin API.
func read(reply *http.Response, err error, call string, into any) error {
	return answers{"admin API of Kratos", maxReply, func(reply *http.Response) error {
		if reply.StatusCode == http.StatusNotFound && isKratos(reply) {
			return ErrNoIdentity
		}
		return nil
	}}.read(reply, err, call, into)
}

// isKratos reports whether a reply is an error of Kratos's, rather than of
// something else that answers at its address.
func isKratos(reply *http.Response) bool {
	var body struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	return json.NewDecoder(reply.Body).Decode(&body) == nil && body.Error.Code == reply.StatusCode
}
