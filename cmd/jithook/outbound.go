package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	outgoing "github.com/jithook/jithook/outbound/webhook"
)

// target is another system that is told of identities.
type target struct {
	name  strictyaml.Text
	rules []*expr.Program // all must hold
	// onFailure says what becomes of a login that waits for the target and finds
	// it failing; empty, none waits.
	onFailure string
	scim      scim.Options // without credentials
	auth      targetAuth
	// receiver is where messages are posted to, if it is no SCIM service, and
	// secrets sign them.
	receiver string
	secrets  []secret
}

// targetAuth is how a target is authenticated to, with the secrets' places.
type targetAuth struct {
	secret secret // the token, the password, or the client's secret
	user   string // basic, if not empty
	oauth  scim.ClientCredentials
}

// What becomes of a login whose target fails.
const (
	failureContinue = "continue"
	failureDeny     = "deny"
)

var targetName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// outbound reads the targets.
func (r *configReader) outbound(all strictyaml.Map[targetSection], c *config) {
	if len(all) == 0 {
		return
	}
	env, err := expr.NewEnv()
	rules, failed := expr.NewTargetEnv()
	if err = cmp.Or(err, failed); err != nil {
		r.problems = append(r.problems, all[0].Key.Problemf("%s", err))
		return
	}
	for _, one := range all {
		t := target{name: one.Key}
		if !targetName.MatchString(one.Key.Value) {
			r.wrong(one.Key, "a target's name is 1 to 63 small letters, digits, dashes and underscores")
		}
		for _, rule := range one.Value.Rules {
			t.rules = append(t.rules, r.rule(rules, rule))
		}
		if one.Value.OnFailure != nil {
			t.onFailure = r.word(one.Value.OnFailure, failureContinue, failureDeny)
		}
		switch s := one.Value; {
		case s.SCIM != nil && s.Webhook == nil:
			r.scim(env, *s.SCIM, &t)
		case s.Webhook != nil && s.SCIM == nil:
			r.receiver(*s.Webhook, &t)
		default:
			r.wrong(one.Key, "the target %q is told by one of scim and webhook", one.Key.Value)
		}
		c.targets = append(c.targets, t)
	}
}

func (r *configReader) receiver(s receiverSection, t *target) {
	if err := outgoing.CheckURL(s.URL.Value); err != nil {
		r.wrong(s.URL, "%s", err)
	}
	t.receiver, t.secrets = s.URL.Value, r.secrets(t.name, s.Secret)
}

func (r *configReader) scim(env *expr.Env, s scimSection, t *target) {
	t.scim = scim.Options{
		URL:           s.URL.Value,
		Patch:         r.word(s.Patch, scim.PatchAuto, scim.PatchRFC, scim.PatchMicrosoft, scim.PatchPut),
		Lookup:        r.word(s.Lookup, scim.LookupExternalID, scim.LookupUserName, scim.LookupNone),
		Groups:        r.word(s.Groups, scim.GroupsKnown, scim.GroupsCreate, scim.GroupsNone),
		OnDeprovision: r.word(s.OnDeprovision, scim.Deactivate, scim.Delete),
		Adopt:         s.Adopt, DryRun: s.DryRun,
	}
	if t.scim.Lookup == scim.LookupNone { // nor can a group be found by its name
		if s.Groups != nil && t.scim.Groups != scim.GroupsNone {
			r.wrong(*s.Groups, "with `lookup: none` no group can be found either: `groups` is none there")
		}
		t.scim.Groups = scim.GroupsNone
	}
	if err := scim.CheckURL(s.URL.Value); err != nil {
		r.wrong(s.URL, "%s", err)
	}
	r.targetAuth(s.Auth, t)
	named := false
	for _, part := range []struct {
		attributes strictyaml.Map[strictyaml.Text]
		enterprise bool
	}{{s.Attributes, false}, {s.Enterprise, true}} {
		for _, a := range part.attributes {
			if err := scim.CheckAttribute(a.Key.Value); err != nil {
				r.wrong(a.Key, "%s", err)
			}
			named = named || a.Key.Value == scim.UserName && !part.enterprise
			t.scim.Attributes = append(t.scim.Attributes, scim.Attribute{Name: a.Key.Value, Enterprise: part.enterprise, Value: r.attribute(env, a.Value)})
		}
	}
	if !named && len(s.Attributes) > 0 {
		r.wrong(t.name, "the target %q has no attribute %s, which every account needs", t.name.Value, scim.UserName)
	}
}

// word returns the word that was written, or otherwise the first.
func (r *configReader) word(t *strictyaml.Text, words ...string) string {
	if t == nil {
		return words[0]
	}
	if !slices.Contains(words, t.Value) {
		r.wrong(*t, "%q is none of %q", t.Value, words)
	}
	return t.Value
}

func (r *configReader) targetAuth(s targetAuthSection, t *target) {
	ways := 0
	if s.Bearer != nil {
		ways++
		t.auth.secret = r.secret(*s.Bearer)
	}
	if b := s.Basic; b != nil {
		ways++
		t.auth.user, t.auth.secret = b.User.Value, r.secret(b.Password)
	}
	if o := s.OAuth2; o != nil {
		ways++
		t.auth.secret = r.secret(o.ClientSecret)
		t.auth.oauth = scim.ClientCredentials{TokenURL: o.TokenURL.Value, ClientID: o.ClientID.Value}
		for _, scope := range o.Scopes {
			t.auth.oauth.Scopes = append(t.auth.oauth.Scopes, scope.Value)
		}
		if o.Audience != nil {
			t.auth.oauth.Audience = o.Audience.Value
		}
		if u, err := url.Parse(o.TokenURL.Value); err != nil || scim.CheckURL(strings.TrimSuffix(o.TokenURL.Value, "?"+u.RawQuery)) != nil {
			r.wrong(o.TokenURL, "token_url is an https URL (http on the loopback interface, for development)")
		}
	}
	if ways != 1 {
		r.problems = append(r.problems, s.Problemf("auth has one of bearer, basic and oauth2"))
	}
}

// targetNames are the targets that a provider's file may name.
func (c config) targetNames() []string {
	names := []string{}
	for _, t := range c.targets {
		names = append(names, t.name.Value)
	}
	return names
}

// targetsToTell are all that are told of identities.
func (c config) targetsToTell() []string {
	names := c.targetNames()
	for _, i := range c.instances {
		names = append(names, kratos.StateTarget(i.name.Value))
	}
	slices.Sort(names)
	return names
}

// targetConnectors returns the connectors to the targets of the configuration; it
// reads their secrets, and calls none.
func (a *app) targetConnectors() (map[string]outbound.Connector, error) {
	out := map[string]outbound.Connector{}
	process := rand.Text()
	for _, t := range a.config.targets {
		c, err := a.targetConnector(t, process)
		if err != nil {
			return nil, fmt.Errorf("outbound.%s: %w", t.name.Value, err)
		}
		out[t.name.Value] = outbound.Route(c, t.name.Value, a.store, a.wants(t), now)
	}
	return out, nil
}

// targetConnector returns the connector to one target; process tells this one
// from others.
func (a *app) targetConnector(t target, process string) (outbound.Connector, error) {
	if t.receiver != "" {
		secrets, err := readAll(t.secrets)
		if err != nil {
			return nil, err
		}
		return outgoing.New(outgoing.Options{URL: t.receiver, Secrets: secrets, Guard: a.config.guard, Now: now})
	}
	auth, err := t.auth.read()
	if err != nil {
		return nil, err
	}
	o := t.scim
	o.Auth, o.Guard, o.Now, o.Log = auth, a.config.guard, now, a.log.With("target", t.name.Value)
	o.First = func(ctx context.Context, what string) (bool, error) {
		return outbound.Election{Store: a.store, Process: process, Now: now}.First(ctx, t.name.Value+" "+what)
	}
	return scim.New(o)
}

func (t targetAuth) read() (scim.Auth, error) {
	value, err := t.secret.read()
	switch {
	case err != nil:
		return nil, err
	case t.oauth.TokenURL != "":
		o := t.oauth
		o.ClientSecret = value
		return scim.OAuth2(o), nil
	case t.user != "":
		return scim.Basic(t.user, value), nil
	}
	return scim.Bearer(value), nil
}
