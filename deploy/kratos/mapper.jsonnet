// The OpenID Connect mapper of one provider, as `jithook kratos config` puts
// it into Ory Kratos's configuration. Kratos runs it at the first sign-in and
// at linking, with the claims in std.extVar('claims').
//
// It is a function of constants of the provider's file:
//
//   provider  the provider's id, in Kratos and in jithook
//   issuer    the file's issuer, if it has exactly one, else null
//   subject   path of the claim that is the subject, as in the file's
//             `subject`; null = the subject that Kratos keys its credential by
//   claims    names of the claims that the provider's rules read; null = all
//   traits    [{path, paths}]: Kratos's trait (its name, behind those of the
//             objects that it is in), and where in the claims its value may
//             stand; the first that is there wins
//   keep      whether Kratos keeps the claims of the registration, for
//             administrators to see: the claims source kratos_admin reads them
//
// metadata_public.jithook is the one place where jithook looks for claims: the
// browser can override every trait at the first sign-in, and never the
// metadata. jithook's answer takes the claims out of it before Kratos stores
// the identity, and it alone says which addresses are verified: this mapper
// must not (`verified_addresses` would be Kratos's word on an e-mail that no
// rule has looked at).

// at follows a path of member names; null where it leads nowhere.
local at(value, path) = std.foldl(
  function(here, name)
    if std.isObject(here) && std.objectHas(here, name) then here[name],
  path,
  value
);

// first is the first element that is not null, or null.
local first(values) =
  local present = [v for v in values if v != null];
  if std.length(present) > 0 then present[0];

// present keeps the members that are not null. (std.prune would also drop an
// empty list, and "in no group" is not the same as "groups unknown".)
local present(object) = {
  [name]: object[name]
  for name in std.objectFields(object)
  if object[name] != null
};

// nested is an object with a value at a path of member names, to be added to
// another one.
local nested(path, value) =
  if std.length(path) == 1 then { [path[0]]: value }
  else { [path[0]]+: nested(path[1:], value) };

function(config)
  local claims = std.extVar('claims');
  local raw = at(claims, ['raw_claims']);

  // Kratos's own claims are normalised: email_verified "true" has become true,
  // and false has gone. The raw ones are as the provider signed them; some
  // OAuth 2.0 providers of Kratos have none.
  local asserted = if std.isObject(raw) then raw else claims;

  // sub is the subject that Kratos keys its credential by, which its settings
  // may take from elsewhere than the token. UserInfo claims need not
  // name an issuer; Kratos then has the one of the ID token.
  local sub = at(claims, ['sub']);
  local issuer = first([at(raw, ['iss']), at(claims, ['iss'])]);
  local vouched = present(asserted { sub: sub, iss: issuer });

  local used =
    if config.claims == null then vouched else {
      [name]: vouched[name]
      for name in config.claims
      if std.objectHas(vouched, name)
    };
  local traits = std.foldl(
    function(all, trait)
      local value = first([at(vouched, path) for path in trait.paths]);
      if value == null then all else all + nested(trait.path, value),
    config.traits,
    {}
  );

  local origin = present({
    provider: config.provider,
    issuer: first([issuer, config.issuer]),
    subject: if config.subject == null then sub else at(vouched, config.subject),
    // Kratos knows the person's credential by this one.
    credential: if config.subject != null then sub,
    // Nobody can tell any more what the provider itself has said.
    normalised: if !std.isObject(raw) then true,
  }) + { claims: used };

  {
    identity: {
      traits: traits,
      metadata_public: { jithook: origin { traits: traits } },
      [if config.keep then 'metadata_admin']: { jithook: origin },
    },
  }
