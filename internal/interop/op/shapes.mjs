// Paths, issuer forms and claims of well-known hosted providers, laid over the
// certified provider's engine: the relying party meets the product's URLs and
// token shapes, and the protocol behind them is still checked for real.
// issuer: appended to scheme://host:port. claims/access: merged into the ID
// token and the JWT access token. logout: the product's own logout endpoint.
export const SHAPES = {
  auth0: {
    issuer: '/', // the trailing slash is part of the issuer
    routes: { authorization: '/authorize', token: '/oauth/token', userinfo: '/userinfo', jwks: '/.well-known/jwks.json', revocation: '/oauth/revoke', device_authorization: '/oauth/device/code', code_verification: '/activate', registration: '/oidc/register', end_session: '/oidc/logout', pushed_authorization_request: '/oauth/par' },
    audienceParameter: 'audience',
    claims: (u) => ({ nickname: u.nickname, picture: 'https://s.gravatar.com/avatar/x.png', 'https://example.com/roles': u.roles }),
    logout: { path: '/v2/logout', to: 'returnTo' },
  },
  okta: {
    issuer: '/oauth2/default',
    routes: { authorization: '/v1/authorize', token: '/v1/token', userinfo: '/v1/userinfo', jwks: '/v1/keys', introspection: '/v1/introspect', revocation: '/v1/revoke', end_session: '/v1/logout', device_authorization: '/v1/device/authorize', code_verification: '/activate', pushed_authorization_request: '/v1/par', registration: '/v1/clients', backchannel_authentication: '/v1/bc/authorize' },
    claims: (u, sub) => ({ ver: 1, idp: '00o1', preferred_username: u.email, groups: u.groups, jti: `ID.${sub}` }),
    access: (u, sub) => ({ ver: 1, cid: 'x', uid: `00u${sub}`, scp: ['openid'] }),
  },
  keycloak: {
    issuer: '/realms/test',
    routes: { authorization: '/protocol/openid-connect/auth', token: '/protocol/openid-connect/token', userinfo: '/protocol/openid-connect/userinfo', jwks: '/protocol/openid-connect/certs', introspection: '/protocol/openid-connect/token/introspect', revocation: '/protocol/openid-connect/revoke', end_session: '/protocol/openid-connect/logout', device_authorization: '/protocol/openid-connect/auth/device', code_verification: '/device', pushed_authorization_request: '/protocol/openid-connect/ext/par/request', backchannel_authentication: '/protocol/openid-connect/ext/ciba/auth', registration: '/clients-registrations/openid-connect' },
    claims: (u, sub, clientId) => ({ typ: 'ID', azp: clientId, preferred_username: sub, session_state: 'b3c1', realm_access: { roles: u.roles ?? [] }, resource_access: { account: { roles: ['view-profile'] } } }),
    access: (u) => ({ typ: 'Bearer', realm_access: { roles: u.roles ?? [] }, resource_access: { account: { roles: ['view-profile'] } } }),
  },
  identityserver4: {
    issuer: '',
    routes: { authorization: '/connect/authorize', token: '/connect/token', userinfo: '/connect/userinfo', jwks: '/.well-known/openid-configuration/jwks', introspection: '/connect/introspect', revocation: '/connect/revocation', end_session: '/connect/endsession', device_authorization: '/connect/deviceauthorization', code_verification: '/device', backchannel_authentication: '/connect/ciba' },
    claims: () => ({ idp: 'local', amr: ['pwd'] }),
  },
  cognito: {
    issuer: '/us-east-1_abcdEFGHi', // the endpoints live elsewhere (another host at AWS)
    routes: { authorization: '/oauth2/authorize', token: '/oauth2/token', userinfo: '/oauth2/userInfo', jwks: '/.well-known/jwks.json', revocation: '/oauth2/revoke', end_session: '/logout-oidc' },
    claims: (u, sub) => ({ 'cognito:username': sub, 'cognito:groups': u.groups, token_use: 'id', event_id: 'e', origin_jti: 'o' }),
    access: (u, sub) => ({ token_use: 'access', username: sub, 'cognito:groups': u.groups, version: 2, aud: undefined }),
    userinfo: (c) => ({ ...c, ...(c.email_verified !== undefined && { email_verified: String(c.email_verified) }) }), // a string, not a boolean
    logout: { path: '/logout', to: 'logout_uri' },
    rotate: false,
  },
  entra: {
    issuer: '/11111111-2222-3333-4444-555555555555/v2.0',
    routes: { authorization: '/oauth2/v2.0/authorize', token: '/oauth2/v2.0/token', userinfo: '/oidc/userinfo', jwks: '/discovery/v2.0/keys', end_session: '/oauth2/v2.0/logout', device_authorization: '/oauth2/v2.0/devicecode', code_verification: '/deviceauth' },
    template: '/{tenantid}/v2.0', // what the "common" and "organizations" documents publish as issuer
    claims: (u, sub) => ({ oid: `0000-${sub}`, tid: '11111111-2222-3333-4444-555555555555', ver: '2.0', preferred_username: u.email, email_verified: undefined, roles: u.roles }),
  },
  google: {
    issuer: '',
    routes: { authorization: '/o/oauth2/v2/auth', token: '/token', userinfo: '/v1/userinfo', jwks: '/oauth2/v3/certs', revocation: '/revoke', device_authorization: '/device/code', code_verification: '/device' },
    claims: (u) => ({ hd: 'example.com', picture: 'https://lh3.googleusercontent.com/a/x', email: u.email, email_verified: u.email_verified }),
    noEndSession: true,
  },
};
