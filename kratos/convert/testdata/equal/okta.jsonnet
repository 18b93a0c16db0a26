local claims = std.extVar('claims');
local has(name) = name in claims;
local raw = claims.raw_claims;

if !has('email') then error 'Your account has no e-mail address.' else {
  identity: {
    traits: {
      email: std.asciiLower(claims.email),
      full_name: '%s %s' % [claims.given_name, claims.family_name],
      user: std.split(claims.email, '@')[0],
      roles: [r.name for r in raw.roles if r.name != 'dev'],
    } + (if has('phone_number') then { phone: claims.phone_number } else {})
      + (if 'department' in raw && raw.department != '' then { department: raw.department } else {}),
    verified_addresses: if has('email_verified') then [{ via: 'email', value: std.asciiLower(claims.email) }] else [],
  },
}
