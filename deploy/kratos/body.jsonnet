// The body of every request that Ory Kratos sends to jithook's
// /hooks/kratos/* endpoints. Kratos calls it with the whole context of the
// sign-in; only what is named here leaves Kratos.
//
// Left behind on purpose: cookies and request headers (a session), request_url
// (the OAuth 2.0 authorization code), flow.ui (the CSRF token) and
// transient_payload (the client's own words). Never send `ctx` itself.
//
// jithook refuses a field that it does not know, so this file and its decoder
// change together.

// pick copies the named fields of an object; one that is absent or null is
// left out. Whatever is not an object has no fields.
local pick(object, names) =
  if std.isObject(object) then {
    [name]: object[name]
    for name in names
    if std.objectHas(object, name) && object[name] != null
  } else {};

// submitted says that the person sent the settings form itself, which can
// disconnect a provider; to connect one they come back from it, to another
// address. Only an address that is that of the form as a whole counts: a client
// can spell one in many ways, and has a say in its scheme.
local submitted(url) =
  local parts = std.split(url, '?');
  std.length(parts) == 2 && std.endsWith(parts[0], '/self-service/settings') &&
  std.startsWith(parts[1], 'flow=') && std.length(parts[1]) == 41;

function(ctx)
  local has = pick(ctx, ['flow', 'identity', 'session']);
  {
    version: 1,
    [if 'flow' in has then 'flow']: pick(has.flow, ['id', 'type']) + {
      [if std.isString(std.get(ctx, 'request_url')) && submitted(ctx.request_url) then 'submitted']: true,
    },
    // At a login nothing goes back into Kratos: neither the traits nor other
    // people's metadata are needed, whatever they hold.
    [if 'identity' in has then 'identity']:
      if 'session' in has then
        pick(has.identity, ['id', 'state']) + {
          [if std.isObject(std.get(has.identity, 'metadata_public')) then 'metadata_public']:
            pick(has.identity.metadata_public, ['jithook']),
        }
      else pick(has.identity, ['id', 'state', 'traits', 'metadata_public']),
    // Kratos has a session at the login hooks only. Its methods say which
    // provider vouched for the user; one without a provider is sent as it is,
    // since jithook must see that it is there.
    [if 'session' in has then 'session']: {
      local session = pick(has.session, ['authentication_methods']),
      authentication_methods:
        if 'authentication_methods' in session then [
          pick(method, ['method', 'provider', 'completed_at'])
          for method in session.authentication_methods
        ] else [],
    },
  }
