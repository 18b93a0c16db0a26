local claims = std.extVar('claims');

assert 'raw_claims' in claims : 'no claims';
assert std.endsWith(claims.email, '.Example') : 'Only our people come in here.';
{
  identity: {
    traits: {
      email: claims.email,
      local first(a, b='none') = if std.objectHas(claims, a) then claims[a] else b,
      name: first('name'),
      nick: first('nickname', first('preferred_username')),
      website: if std.objectHas(claims, 'website') then claims.website else null,
      upper: std.asciiUpper(first('locale')),
      joined: std.join(' ', [claims.given_name, std.get(claims, 'family_name')]),
    },
  },
}
