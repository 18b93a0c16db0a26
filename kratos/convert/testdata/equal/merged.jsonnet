local claims = std.extVar('claims');
local base = { email: claims.email, name: claims.name };
local over(c) = if 'given_name' in c && 'family_name' in c then { name: c.given_name + ' ' + c.family_name } else { short: true };
{
  identity: {
    traits: base + over(claims) { source: 'acme', hidden:: claims.raw_claims.nothing },
  },
}
