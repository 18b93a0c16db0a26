local claims = std.extVar('claims');
{
  identity: {
    traits: {
      [if 'email' in claims && claims.email_verified then 'email']: claims.email,
      name: claims.name,
    },
  },
}
