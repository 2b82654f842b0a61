// A real OpenID Provider (npm oidc-provider) with everything it has switched
// on, bound to loopback, for a relying party's end-to-end tests.
//
//   npm ci && PORT=9000 node op.mjs
//
// Prints one line of JSON on stdout when it listens:
//   {"ready":true,"issuer":"http://localhost:9000","control":"http://localhost:9000/__op/","mtls":null,...}
//
// Environment
//   PORT              listening port, 0 = any free one (default 0)
//   OP_HOST           host name in the issuer (default localhost)
//   OP_WITH_STDIN=1   exit when standard input ends: no orphan when a test is killed
//   OP_TLS_CERT/KEY   PEM files: serve https
//   OP_MTLS_CA        PEM file: second https listener that asks for client
//                     certificates, published as mtls_endpoint_aliases
//   OP_INTERACTIONS   "dev": the package's own quick-start pages instead of pages.mjs
//   OP_DPOP_NONCE=1   demand a DPoP nonce
//   OP_FAPI           "1.0 Final" or "2.0": the package's FAPI profile checks
//   OP_SHAPE          auth0, okta, keycloak, identityserver4, cognito, entra,
//                     google: that product's issuer form, paths and claims
//   OP_POST_METHODS=1 allow POST to the authorization and end-session
//                     endpoints; needs https (SameSite=None session cookie)
//   OP_COOP=1         its pages want a window for themselves
//                     (Cross-Origin-Opener-Policy: same-origin)
//
// Test controls, not part of the provider: GET or POST /__op/NAME
//   GET  events                what the provider emitted, oldest first
//   GET  requests              every request it got: method and path, oldest first
//   POST rotate                new signing keys; the old ones leave the JWKS
//   POST hold                  {"path":"/token"} requests to it wait from now on...
//   POST release               ...until this
//   POST user                  {"sub":..., claims...} change a user's claims
//   POST revoke-sessions       {"sub":...} forget the user's provider sessions
//   POST age-sessions          {"sub":...,"seconds":...} the user authenticated that much earlier
//   POST end-user              {"sub":...} the same, and tell the clients: logout tokens with sub alone
//   POST end-session           {"sid":...} one session, by the sid that one client knows: tokens with sid alone
//   POST logout-token          {"client":id,"sub":...,"sid":...} make one, and send it to nobody
//   POST access-tokens         {"client":id} how many of its access tokens are still good
//   POST forget-access-tokens  {"client":id} end them before their time
//   POST resource              {"uri":...,"audience":...,"format":...,"alg":...,"encrypt":...} an API to issue access tokens for
//   POST ciba                  {"id":auth_req_id,"deny":bool,"acr":...}
import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { Provider, errors } from 'oidc-provider';
import { AMR, users } from './accounts.mjs';
import { configuration } from './config.mjs';
import { customGrants } from './grants.mjs';
import { makeKeys } from './keys.mjs';
import { endSession, endUser, logoutToken } from './logout.mjs';
import { interactions } from './pages.mjs';
import { addResource } from './resources.mjs';
import { SHAPES } from './shapes.mjs';
import { ageSessions, forgetAccessTokens, liveAccessTokens, takeSessions } from './store.mjs';

const { env } = process;
const host = env.OP_HOST || 'localhost';
const tls = env.OP_TLS_CERT ? { cert: readFileSync(env.OP_TLS_CERT), key: readFileSync(env.OP_TLS_KEY) } : null;
const shape = env.OP_SHAPE ? SHAPES[env.OP_SHAPE] : undefined;
if (env.OP_SHAPE && !shape) throw new Error(`OP_SHAPE is one of ${Object.keys(SHAPES)}`);

let issuer;
let mtls = null;
let keys = await makeKeys();
let provider;
let callback;

// ------------------------------------------------------------------ provider
const events = [];
const NOTED = [
  'access_token.issued', 'authorization.error', 'authorization.success', 'backchannel.error', 'backchannel.success',
  'backchannel_authentication.error', 'device_authorization.error', 'discovery.error', 'end_session.error', 'end_session.success',
  'grant.error', 'grant.revoked', 'grant.success', 'introspection.error', 'jwks.error', 'pushed_authorization_request.success',
  'refresh_token.consumed', 'refresh_token.saved', 'registration_create.error', 'registration_create.success',
  'revocation.error', 'server_error', 'userinfo.error',
];

function note(name, args) {
  const ctx = args.find((a) => a?.oidc);
  const err = args.find((a) => a instanceof Error);
  events.push({
    at: Date.now(), event: name, client: ctx?.oidc.client?.clientId ?? args.find((a) => a?.clientId)?.clientId, grant_type: ctx?.oidc.params?.grant_type,
    error: err?.error ?? err?.message, detail: err?.error_description ?? err?.error_detail, reason: err?.error_detail, cause: err?.cause?.message,
  });
  if (name === 'server_error') process.stderr.write(`${err?.stack}\n`);
}

// How often to poll, which the package does not say.
async function saysInterval(ctx, next) {
  await next();
  const interval = ctx.oidc?.client?.x_interval;
  if (interval && (ctx.body?.device_code || ctx.body?.auth_req_id)) ctx.body.interval = interval;
}

function build() {
  provider = new Provider(issuer, configuration({ env, shape, keys, mtls }));
  customGrants(provider, keys);
  provider.use(saysInterval);
  if (env.OP_INTERACTIONS !== 'dev') provider.use(interactions(provider));
  for (const name of NOTED) provider.on(name, (...args) => note(name, args));
  callback = provider.callback();
}

// ------------------------------------------------------------- test controls
const requests = [];
const held = new Map(); // path: the callbacks that let its requests go on

async function decideCIBA({ id, deny, acr = 'urn:op:2fa' }) {
  const request = await provider.BackchannelAuthenticationRequest.find(id);
  if (!request) throw new Error('no such auth_req_id');
  if (deny) {
    await provider.backchannelResult(request, new errors.AccessDenied('user said no'));
    return {};
  }
  const client = await provider.Client.find(request.clientId);
  const grant = new provider.Grant({ clientId: client.clientId, accountId: request.accountId });
  grant.addOIDCScope(request.scope);
  await grant.save();
  await provider.backchannelResult(request, grant, { acr, amr: AMR[acr], authTime: Math.floor(Date.now() / 1000) });
  return {};
}

const controls = {
  events: () => events,
  requests: () => requests,
  async rotate() { keys = await makeKeys(); build(); return { kids: keys.map((k) => k.kid) }; },
  hold({ path }) { held.set(path, []); return {}; },
  release() {
    const waiting = [...held.values()].flat();
    held.clear();
    for (const go of waiting) go();
    return { released: waiting.length };
  },
  user({ sub, ...claims }) { users.set(sub, claims); return claims; },
  'revoke-sessions': ({ sub }) => ({ n: takeSessions((session) => session.accountId === sub).length }),
  'age-sessions': ({ sub, seconds }) => ({ n: ageSessions(sub, seconds) }),
  'end-user': (body) => endUser(provider, body),
  'end-session': (body) => endSession(provider, body),
  'logout-token': (body) => logoutToken(provider, body),
  'access-tokens': ({ client }) => ({ n: liveAccessTokens(client) }),
  'forget-access-tokens': ({ client }) => ({ n: forgetAccessTokens(client) }),
  resource: addResource,
  ciba: decideCIBA,
};

async function control(req, res, name) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  let status = 200;
  let answer;
  try {
    if (!Object.hasOwn(controls, name)) throw new Error(`no such control: ${name}`);
    answer = await controls[name](JSON.parse(Buffer.concat(chunks).toString() || '{}'));
  } catch (e) {
    status = 400;
    answer = { error: e.message };
  }
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(answer));
}

// ----------------------------------------------------------------- listening
function handler(req, res) {
  const { pathname, searchParams } = new URL(req.url, 'http://x');
  if (pathname.startsWith('/__op/')) {
    control(req, res, pathname.slice('/__op/'.length));
    return;
  }
  if (env.OP_COOP === '1') res.setHeader('cross-origin-opener-policy', 'same-origin');
  requests.push({ method: req.method, path: pathname });
  if (shape?.logout?.path === pathname) { // ends the session without asking, as the product's own endpoint does
    res.writeHead(302, { location: searchParams.get(shape.logout.to) ?? '/', 'set-cookie': ['_session=; Path=/; Max-Age=0', '_session.sig=; Path=/; Max-Age=0'] });
    res.end();
    return;
  }
  const mount = new URL(issuer).pathname.replace(/\/$/, '');
  if (mount && (pathname === mount || pathname.startsWith(`${mount}/`))) {
    req.originalUrl = req.url;
    req.url = req.url.slice(mount.length) || '/';
  }
  const go = () => callback(req, res);
  const queue = held.get(pathname);
  if (queue) queue.push(go);
  else go();
}

const listen = (server, port) => new Promise((ok, no) => {
  server.once('error', no);
  server.listen(port, '127.0.0.1', () => ok(server.address().port));
});

if (env.OP_MTLS_CA) {
  const server = https.createServer({ ...tls, ca: readFileSync(env.OP_MTLS_CA), requestCert: true, rejectUnauthorized: false }, handler);
  mtls = `https://${host}:${await listen(server, Number(env.OP_MTLS_PORT || 0))}`;
}
const server = tls ? https.createServer(tls, handler) : http.createServer(handler);
const base = `${tls ? 'https' : 'http'}://${host}:${await listen(server, Number(env.PORT || 0))}`;
issuer = `${base}${shape?.issuer ?? ''}`;
build();
process.stdout.write(`${JSON.stringify({ ready: true, issuer, control: `${base}/__op/`, mtls, pid: process.pid, node: process.version })}\n`);
if (env.OP_WITH_STDIN === '1') process.stdin.resume().on('end', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
