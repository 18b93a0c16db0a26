local claims = std.extVar('claims');
local raw = claims.raw_claims;
{
  identity: {
    traits: {
      id: 'acme:' + claims.sub,
      home: {
        [if 'address' in raw && 'country' in raw.address then 'country']: raw.address.country,
        geo: { level: raw.level, kind: 'home' },
      },
      place: if 'address' in raw then { town: raw.address.locality } else null,
      contact: { kind: 'mail', value: claims.email },
      all: [claims.name, { mail: claims.email, n: 1 }, true, null],
      constant: 'x"y\'z',
      count: std.length(raw.groups),
      admin: std.member(std.map(function(r) r.name, raw.roles), 'admin'),
      staff: 'staff' == raw.groups[1],
      hasHd: std.get(claims, 'hd') != null,
    },
  },
}
