local claims = std.extVar('claims');

{
  identity: {
    traits: {
      [if 'email' in claims then 'email' else null]: claims.email,
      [if "nickname" in claims then "username"]: claims.nickname,
      [if 'website' in claims then 'website']: claims['website'],
    },
  },
}
