local claims = std.extVar('claims');
local raw = claims.raw_claims;

{
  identity: {
    traits: {
      [if 'email' in claims then 'email' else null]: claims.email,
      upn: std.get(claims, 'preferred_username', claims.sub),
      tenant: if 'tid' in raw then raw.tid else error 'no tenant',
      name: {
        first: claims.given_name,
        [if 'family_name' in claims then 'last']: claims.family_name,
      },
      [if 'groups' in raw then 'groups']: raw.groups,
    },
  },
}
