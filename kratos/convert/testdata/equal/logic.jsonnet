local claims = std.extVar('claims');
local raw = claims.raw_claims;
local plans = { Eng: 'large', other: 'small' };
{
  identity: {
    traits: {
      both: claims.hd == 'acme.example' && raw.level == 3,
      either: raw.level == 3 || claims.hd == 'acme.example',
      checked: claims.phone_number_verified,
      unless: !('nickname' in claims) || claims.nickname != 'al',
      mixed: if 'phone_number' in claims then 1 else 'none',
      third: if raw.tid == 't-1' then 'a' else if raw.oid == 'o-1' then claims.nickname else null,
      plan: std.get(plans, raw.groups[0], 'none'),
      lower: std.filter(function(g) std.startsWith(g, 's'), raw.groups),
      text: if std.isString(raw.department) then std.strReplace(raw.department, '&', 'and') else 'none',
      list: if std.isArray(raw.groups) && std.contains(raw.groups, 'Eng') then ['eng'] + raw.groups else [],
    },
  },
}
