// Storage without a bound: the package's own in-memory adapter forgets after
// 1,000 entries, and a long run then loses sessions.
const entries = new Map();
const grants = new Map(); // grant id: the keys that live and die with it
const uids = new Map();
const userCodes = new Map();

// Interactions know a grant too, and outlive it: who changes to another account is in one.
const grantable = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest']);

export class Adapter {
  constructor(model) { this.model = model; }

  key(id) { return `${this.model}:${id}`; }

  async upsert(id, payload, expiresIn) {
    const key = this.key(id);
    entries.set(key, { payload, expires: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.grantId && grantable.has(this.model)) {
      if (!grants.has(payload.grantId)) grants.set(payload.grantId, new Set());
      grants.get(payload.grantId).add(key);
    }
    if (payload.uid) uids.set(payload.uid, id);
    if (payload.userCode) userCodes.set(payload.userCode, id);
  }

  async find(id) {
    const entry = entries.get(this.key(id));
    if (!entry) return undefined;
    if (entry.expires < Date.now()) {
      entries.delete(this.key(id));
      return undefined;
    }
    return this.model === 'RefreshToken' ? withLeeway(entry.payload) : entry.payload;
  }

  async findByUid(uid) { return this.find(uids.get(uid)); }

  async findByUserCode(code) { return this.find(userCodes.get(code)); }

  async destroy(id) { entries.delete(this.key(id)); }

  async consume(id) {
    const entry = entries.get(this.key(id));
    if (entry) entry.payload.consumed ??= Math.floor(Date.now() / 1000); // the leeway does not begin again
  }

  async revokeByGrantId(grantId) {
    for (const key of grants.get(grantId) ?? []) entries.delete(key);
    grants.delete(grantId);
  }
}

// withLeeway: the package takes a refresh token once. Auth0 and Okta take it again for some
// seconds, and so does a client with x_reuse_leeway here.
function withLeeway(payload) {
  const leeway = entries.get(`Client:${payload.clientId}`)?.payload.x_reuse_leeway ?? 0;
  if (!payload.consumed || Date.now() / 1000 > payload.consumed + leeway) return payload;
  return { ...payload, consumed: undefined };
}

// takeSessions ends the provider sessions that match, and gives what they were.
export function takeSessions(match) {
  const taken = [...entries].filter(([key, { payload }]) => key.startsWith('Session:') && match(payload));
  for (const [key] of taken) entries.delete(key);
  return taken.map(([, { payload }]) => payload);
}

// ageSessions moves when a user authenticated into the past.
export function ageSessions(accountId, seconds) {
  const all = [...entries].filter(([key, { payload }]) => key.startsWith('Session:') && payload.accountId === accountId);
  for (const [, { payload }] of all) payload.loginTs -= seconds;
  return all.length;
}

function accessTokens(clientId) {
  const now = Date.now();
  return [...entries].filter(([key, { payload, expires }]) => key.startsWith('AccessToken:') && payload.clientId === clientId && expires >= now);
}

// liveAccessTokens counts a client's access tokens that are still good.
export function liveAccessTokens(clientId) { return accessTokens(clientId).length; }

// forgetAccessTokens ends them before their time.
export function forgetAccessTokens(clientId) {
  const live = accessTokens(clientId);
  for (const [key] of live) entries.delete(key);
  return live.length;
}
