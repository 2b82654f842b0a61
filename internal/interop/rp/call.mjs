// A relying party that is not Postern's (npm openid-client) calls an API that
// Postern protects, with DPoP-bound access tokens of a third party's provider.
//
//   node call.mjs < case.json > answers.json
//
// case.json: {"api":URL,"id":...,"secret":...}: an API with
//   /read   for tokens with the scope api:read
//   /write  for tokens with the scope api:write
// and a client that may use client_credentials at the provider which the API names
// (RFC 9728). Nothing else of either is known here.
//
// The header x-step of every request is the name of the step that it belongs to.
//
// answers.json: for every step below, the answers of the API in their order, each
// {"status":...,"challenges":[{"scheme":...,"parameters":{...}}],"nonce":bool,"body":...};
// challenges as oauth4webapi reads them, null if it cannot.
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';

const { api, id, secret } = JSON.parse(await text(process.stdin));

// challenges has oauth4webapi read WWW-Authenticate: it does so for every endpoint,
// and this one is the shortest way there.
async function challenges(response) {
  if (!response.headers.has('www-authenticate')) return [];
  try {
    await oauth.processRevocationResponse(response);
  } catch (e) {
    if (e instanceof oauth.WWWAuthenticateChallengeError) return e.cause;
  }
  return null;
}

const noted = async (response) => ({
  status: response.status, challenges: await challenges(response.clone()), nonce: response.headers.has('dpop-nonce'), body: await response.clone().text(),
});

// The challenge of the API leads to its metadata, and these to the provider.
const first = await noted(await fetch(`${api}/read`, { headers: { 'x-step': 'no token' } }));
const metadata = await oauth.processResourceDiscoveryResponse(new URL(api), await fetch(first.challenges[0].parameters.resource_metadata));
const { resource } = metadata;
const config = await client.discovery(
  new URL(metadata.authorization_servers[0]), id, secret, undefined, { execute: [client.allowInsecureRequests] },
);

// Every answer of the API is noted, and a step may spoil the request on its way.
let step;
let answers;
let spoil;
config[client.customFetch] = async (url, options) => {
  if (!url.startsWith(api)) return fetch(url, options);
  const headers = new Headers(options.headers);
  headers.set('x-step', step);
  const response = await fetch(spoil?.(headers, url) ?? url, { ...options, headers });
  answers.push(await noted(response));
  return response;
};

const newKey = (algorithm) => client.randomDPoPKeyPair(algorithm);
const tokenFor = async (key, scope = 'api:read') => (await client.clientCredentialsGrant(
  config, { resource, scope }, key && { DPoP: client.getDPoPHandle(config, key) },
)).access_token;

async function call(token, { key, dpop = key && client.getDPoPHandle(config, key), change, path = 'read', method = 'GET', body, headers } = {}) {
  spoil = change;
  try {
    await client.fetchProtectedResource(config, token, new URL(`${api}/${path}`), method, body, new Headers(headers), { DPoP: dpop });
  } catch (e) {
    if (!(e instanceof client.WWWAuthenticateChallengeError)) throw e; // a refusal is an answer
  }
  spoil = undefined;
}

// forged is a handle whose proofs are well signed and say something else.
const forged = (key, change) => client.getDPoPHandle(config, key, { [client.modifyAssertion]: change });
const sha256 = (s) => createHash('sha256').update(s).digest('base64url');

const key = await newKey('ES256');
const token = await tokenFor(key);
const plain = await tokenFor();
const dpop = client.getDPoPHandle(config, key); // has the API's nonce after the first call

const steps = {
  'nonce round trip': () => call(token, { dpop }),
  'nonce remembered': () => call(token, { dpop }),
  'query and body': () => call(token, { dpop, path: 'read?page=2&q=a%20b', method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }),
  'scheme in small letters': () => call(token, { dpop, change: (h) => h.set('authorization', `dpop ${token}`) }),
  'scope missing': () => call(token, { dpop, path: 'write' }),
  async 'scope there'() { await call(await tokenFor(key, 'api:read api:write'), { dpop, path: 'write' }); },

  'unbound token': () => call(plain),
  'unbound token with a proof': () => call(plain, { dpop }),
  'bound token as Bearer': () => call(token),
  'bound token as Bearer with its proof': () => call(token, { dpop, change: (h) => h.set('authorization', `Bearer ${token}`) }),
  'no proof': () => call(token, { dpop, change: (h) => h.delete('dpop') }),
  'two proofs in one line': () => call(token, { dpop, change: (h) => h.append('dpop', h.get('dpop')) }),
  async 'proof again'() {
    let proof;
    await call(token, { dpop, change(h) { proof = h.get('dpop'); } });
    await call(token, { dpop, change: (h) => h.set('dpop', proof) });
  },
  async 'proof for another token'() {
    const other = await tokenFor(key);
    await call(token, { dpop, change: (h) => h.set('authorization', `DPoP ${other}`) });
  },
  async 'key of somebody else'() { await call(token, { key: await newKey('ES256') }); },
  'method of another request': () => call(token, { dpop: forged(key, (_h, p) => { p.htm = 'POST'; }) }),
  'path of another request': () => call(token, { dpop: forged(key, (_h, p) => { p.htu = `${api}/write`; }) }),
  'host of another request': () => call(token, { dpop: forged(key, (_h, p) => { p.htu = `https://api.attacker.example${new URL(api).pathname}/read`; }) }),
  'no hash of the token': () => call(token, { dpop: forged(key, (_h, p) => { delete p.ath; }) }),
  'hash of another token': () => call(token, { dpop: forged(key, (_h, p) => { p.ath = sha256(plain); }) }),
  'proof of yesterday': () => call(token, { dpop: forged(key, (_h, p) => { p.iat -= 86400; }) }),
  'proof of tomorrow': () => call(token, { dpop: forged(key, (_h, p) => { p.iat += 86400; }) }),
  'typ of another token': () => call(token, { dpop: forged(key, (h) => { h.typ = 'JWT'; }) }),
  'nonce of somebody else': () => call(token, { dpop: forged(key, (_h, p) => { p.nonce = 'made-up-by-the-client'; }) }),
  'token changed': () => call(`${token.slice(0, -6)}AAAAAA`, { dpop }),
  'token in the query': () => call(token, { dpop, change: (h, url) => { h.delete('authorization'); return `${url}?access_token=${token}`; } }),
};
for (const algorithm of ['ES256', 'RS256', 'PS256', 'Ed25519']) {
  steps[`proof by ${algorithm}`] = async () => {
    const pair = await newKey(algorithm);
    await call(await tokenFor(pair), { key: pair });
  };
}
steps['proof by EdDSA'] = async () => { // the older name of Ed25519
  const pair = await newKey('Ed25519');
  await call(await tokenFor(pair), { dpop: forged(pair, (h) => { h.alg = 'EdDSA'; delete h.jwk.alg; }) });
};

const all = { 'no token': [first] };
for (step of Object.keys(steps)) {
  answers = all[step] = [];
  await steps[step]();
}
process.stdout.write(JSON.stringify(all));
