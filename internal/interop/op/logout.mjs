// Sessions end from outside, as by an administrator: no browser takes part. The grants
// live on, so what a relying party does then, it does because it was told.
import { randomUUID } from 'node:crypto';
import { takeSessions } from './store.mjs';

// logoutToken makes one for a client (OpenID Connect Back-Channel Logout 1.0 2.4), about
// sub, sid, or both. The package's own says sub always, and sid where it is required.
export async function logoutToken(provider, { client: id, sub, sid }) {
  const client = await provider.Client.find(id);
  if (!client) throw new Error('no such client');
  const token = new provider.IdToken(sub ? { sub } : {}, { client, ctx: undefined });
  token.mask = sub ? { sub: null } : {};
  token.set('events', { 'http://schemas.openid.net/event/backchannel-logout': {} });
  token.set('jti', randomUUID());
  if (sid) token.set('sid', sid);
  return { token: await token.issue({ use: 'logout' }) };
}

async function tell(provider, id, about) {
  const client = await provider.Client.find(id);
  if (!client?.backchannelLogoutUri) return { client: id };
  const { token } = await logoutToken(provider, { client: id, ...about });
  const { status } = await fetch(client.backchannelLogoutUri, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ logout_token: token }) });
  return { client: id, status };
}

const authorizations = (session) => Object.entries(session.authorizations ?? {});

// endUser ends every session of a user, and tells each client once: sub alone.
export async function endUser(provider, { sub }) {
  const sessions = takeSessions((session) => session.accountId === sub);
  const clients = new Set(sessions.flatMap(authorizations).map(([id]) => id));
  return { sent: await Promise.all([...clients].map((id) => tell(provider, id, { sub }))) };
}

// endSession ends the session that one of its clients knows as sid, and tells each
// client: its own sid alone.
export async function endSession(provider, { sid }) {
  const sessions = takeSessions((session) => authorizations(session).some(([, known]) => known.sid === sid));
  return { sent: await Promise.all(sessions.flatMap(authorizations).map(([id, known]) => tell(provider, id, { sid: known.sid }))) };
}
