local claims = std.extVar('claims');
local granted = { 'eng-01': 'engineering', 'eng-02': 'platform', staff: 'staff' };
{
  identity: {
    traits: {
      [if 'email' in claims then 'email']: claims.email,
      [if 'preferred_username' in claims || 'nickname' in claims then 'username']:
        std.get(claims, 'preferred_username', std.get(claims, 'nickname')),
      [if 'name' in claims then 'name']: claims.name,
      [if 'given_name' in claims then 'first']: claims.given_name,
      [if 'family_name' in claims then 'last']: claims.family_name,
      [if 'given_name' in claims && 'family_name' in claims then 'display']: claims.given_name + ' ' + claims.family_name,
      title: std.get(claims, 'title', 'none'),
      [if 'department' in claims then 'department']: claims.department,
      [if 'address' in claims && 'country' in claims.address then 'country']: claims.address.country,
      [if 'phone_number' in claims then 'phone']: claims.phone_number,
      locale: if 'locale' in claims then claims.locale else 'en',
      [if 'hd' in claims then 'staff']: claims.hd == 'acme.example',
    },
    groups: [granted[g] for g in claims.groups if g in granted],
    [if std.get(claims, 'email_verified') == true && std.endsWith(claims.email, '@acme.example') then 'verified_addresses']:
      [{ via: 'email', value: claims.email }],
  },
}
