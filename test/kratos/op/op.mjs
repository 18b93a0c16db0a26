// A real OpenID provider (npm oidc-provider) for tests: a plain login form, no
// consent page, accounts that the test sets. Never deploy it: it believes every
// password, and whoever reaches its port decides who anybody is. It therefore
// listens on the loopback interface only.
//
//   node op.mjs '{"client_id":"…","client_secret":"…","claims":["groups"],"title":"…"}'
//
// With a title that is not empty the login form is a page with that heading and
// a button for each account.
//
// It takes a free port, prints {"issuer":"http://localhost:PORT"} as its first
// line and runs until SIGTERM or SIGINT.
//
//   PUT /_test/accounts/{sub}   the JSON object becomes the claims of that subject
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const options = JSON.parse(process.argv[2] ?? '{}');
for (const key of ['client_id', 'client_secret', 'claims']) {
  if (!(key in options)) throw new Error(`op.mjs: the option ${key} is missing`);
}

const accounts = new Map(); // sub -> claims
const callbackPath = /^\/self-service\/methods\/oidc\/callback\/[\w-]+$/;

function newProvider(issuer) {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: options.client_id,
      client_secret: options.client_secret,
      // A placeholder: redirectUriAllowed below decides.
      redirect_uris: ['http://127.0.0.1:1/self-service/methods/oidc/callback/placeholder'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    }],
    // Every claim comes with the scope openid, and all stand in the ID token, as
    // with most providers of enterprises.
    claims: { openid: ['sub', ...options.claims], email: [], profile: [] },
    scopes: ['openid', 'email', 'profile'],
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['a key for tests only'] },
    // A key of its own: one test provider must not be able to sign for another.
    jwks: { keys: [{ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), use: 'sig' }] },
    pkce: { required: () => false },
    ttl: { AccessToken: 3600, IdToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    async findAccount(_ctx, sub) {
      const claims = accounts.get(sub);
      return claims && { accountId: sub, claims: async () => ({ ...claims, sub }) };
    },
    // A first-party client: grant what is asked for, without a page.
    async loadExistingGrant(ctx) {
      const { session, client, result } = ctx.oidc;
      const known = result?.consent?.grantId || session.grantIdFor(client.clientId);
      if (known) return provider.Grant.find(known);
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  // Kratos takes its port after the provider started, and several may use one
  // provider: any Kratos callback on this machine is a redirect of ours.
  provider.Client.prototype.redirectUriAllowed = (uri) => {
    const url = new URL(uri);
    return url.protocol === 'http:' && url.hostname === '127.0.0.1' && callbackPath.test(url.pathname);
  };
  for (const event of ['server_error', 'authorization.error', 'grant.error']) {
    provider.on(event, (_ctx, err) => console.error(event, err.error_description || err));
  }
  return provider;
}

async function body(req) {
  let text = '';
  for await (const chunk of req) {
    text += chunk;
    if (text.length > 1 << 20) throw new Error('body over 1 MiB');
  }
  return text;
}

function answer(res, status, text, type = 'text/plain') {
  res.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(text);
}

async function putAccount(req, res, sub) {
  const claims = JSON.parse(await body(req));
  if (claims === null || typeof claims !== 'object' || Array.isArray(claims)) {
    return answer(res, 400, 'claims must be a JSON object');
  }
  const unknown = Object.keys(claims).filter((name) => name !== 'sub' && !options.claims.includes(name));
  if (unknown.length) {
    return answer(res, 400, `the provider was started without these claims: ${unknown.join(', ')}`);
  }
  accounts.set(sub, claims);
  return answer(res, 204);
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const style = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; --line: #6b7280; --accent: #7c2d12; --ground: #fff7ed; }
@media (prefers-color-scheme: dark) { :root { --line: #9ca3af; --accent: #fdba74; --ground: #1c1917; } }
body { background: var(--ground); margin: 0; } main { max-width: 22rem; margin: 12vh auto; padding: 0 1rem; } h1 { color: var(--accent); }
button { display: block; width: 100%; margin: .75rem 0; padding: .6rem 1rem; text-align: left; font: inherit; overflow-wrap: anywhere;
  border: 1px solid var(--line); border-radius: .5rem; cursor: pointer; } button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
small { display: block; }`;

function loginPage(action) {
  const buttons = [...accounts].map(([sub, { name, email }]) => `<button name="login" value="${escaped(sub)}">${escaped(name ?? sub)}<small>${escaped(email ?? '')}</small></button>`);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<title>${escaped(options.title)}</title><style>${style}</style><main><h1>${escaped(options.title)}</h1><p>An OpenID provider. Who are you?</p>
<form method="post" action="${action}">${buttons.join('')}</form></main></html>`;
}

async function interaction(provider, req, res) {
  const details = await provider.interactionDetails(req, res);
  if (req.method === 'GET' && options.title) return answer(res, 200, loginPage(`/interaction/${details.uid}`), 'text/html');
  if (req.method === 'GET') {
    return answer(res, 200, `<form method="post" action="/interaction/${details.uid}">`
      + '<input name="login"><input type="password" name="password"><button>Sign in</button></form>', 'text/html');
  }
  const accountId = new URLSearchParams(await body(req)).get('login') ?? '';
  if (!accounts.has(accountId)) return answer(res, 400, 'no such account: set it first (PUT /_test/accounts/{sub})');
  return provider.interactionFinished(req, res, { login: { accountId, remember: false, amr: ['pwd'] } }, { mergeWithLastSubmission: false });
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://localhost:${server.address().port}`;
  const provider = newProvider(issuer);
  const callback = provider.callback();
  server.on('request', async (req, res) => {
    try {
      const { pathname } = new URL(req.url, issuer);
      const account = req.method === 'PUT' && pathname.match(/^\/_test\/accounts\/([^/]+)$/);
      if (account) await putAccount(req, res, decodeURIComponent(account[1]));
      else if (pathname.startsWith('/interaction/')) await interaction(provider, req, res);
      else await callback(req, res);
    } catch (err) {
      console.error('request failed:', err.message);
      if (!res.headersSent) answer(res, 400, err.message);
    }
  });
  console.log(JSON.stringify({ issuer }));
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
