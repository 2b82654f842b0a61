// The provider's configuration: everything the package has, switched on. What a
// client registers can turn these knobs for itself: x_access_token_ttl and
// x_id_token_ttl in seconds, x_first_access_token_ttl for the token a code is
// traded for, x_rotate:false, x_dpop_nonce:true, x_interval in seconds between polls,
// x_ignores_acr:true for whom acr is always the lowest, whatever it asks for,
// x_ignores_max_age:true for whom nobody is asked again, x_reuse_leeway for how many
// seconds a refresh token can be used again (store.mjs).
import * as crypto from 'node:crypto';
import { errors } from 'oidc-provider';
import { ACRS, accountFinder, users } from './accounts.mjs';
import { logoutSource, policy, postLogoutSuccessSource } from './pages.mjs';
import { resourceServer } from './resources.mjs';
import { Adapter } from './store.mjs';

const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA'];
const signing = ['HS256', 'HS384', 'HS512', ...asymmetric];
const keyManagement = [
  'RSA-OAEP', 'RSA-OAEP-256', 'RSA-OAEP-384', 'RSA-OAEP-512', 'ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW', 'ECDH-ES+A256KW',
  'A128GCMKW', 'A192GCMKW', 'A256GCMKW', 'A128KW', 'A192KW', 'A256KW', 'dir',
];
const contentEncryption = ['A128CBC-HS256', 'A128GCM', 'A192CBC-HS384', 'A192GCM', 'A256CBC-HS512', 'A256GCM'];
const jwa = { clientAuthSigningAlgValues: signing, dPoPSigningAlgValues: asymmetric };
for (const what of ['authorization', 'idToken', 'introspection', 'requestObject', 'userinfo']) {
  jwa[`${what}SigningAlgValues`] = signing;
  jwa[`${what}EncryptionAlgValues`] = keyManagement;
  jwa[`${what}EncryptionEncValues`] = contentEncryption;
}

// How a certificate names the client it belongs to (RFC 8705 2.1.2).
const SAN = { tls_client_auth_san_dns: 'DNS', tls_client_auth_san_uri: 'URI', tls_client_auth_san_ip: 'IP Address', tls_client_auth_san_email: 'email' };
function certificateSubjectMatches(ctx, property, expected) {
  const certificate = ctx.socket.getPeerX509Certificate?.();
  if (!certificate) return false;
  if (property === 'tls_client_auth_subject_dn') {
    const parts = certificate.subject.split('\n');
    return parts.join(',') === expected || parts.reverse().join(',') === expected;
  }
  return (certificate.subjectAltName ?? '').split(', ').includes(`${SAN[property]}:${expected}`);
}

const requestedDetails = (ctx) => ctx.oidc.params?.authorization_details && JSON.parse(ctx.oidc.params.authorization_details);

function accessTokenTTL(ctx, token, client) {
  if (ctx.oidc.params?.grant_type === 'authorization_code' && client.x_first_access_token_ttl) return client.x_first_access_token_ttl;
  return client.x_access_token_ttl || token.resourceServer?.accessTokenTTL || 3600;
}

export function configuration({ env, shape, keys, mtls }) {
  const dev = env.OP_INTERACTIONS === 'dev';
  const conf = {
    adapter: Adapter,
    acrValues: ACRS,
    claims: {
      acr: null, auth_time: null, iss: null, sid: null,
      // Listed under openid they are in every ID token, not only when asked for.
      openid: ['sub', 'acr', 'amr', ...Object.keys(shape?.claims?.({ roles: [], groups: [] }, '') ?? {})],
      profile: ['name', 'given_name', 'family_name', 'nickname', 'preferred_username', 'locale', 'zoneinfo', 'updated_at'],
      email: ['email', 'email_verified'],
      phone: ['phone_number', 'phone_number_verified'],
      address: ['address'],
      groups: ['groups', 'roles'],
    },
    clientBasedCORS: () => true,
    clients: [ // for a person who tries something by hand; tests register their own
      {
        client_id: 'native', application_type: 'native', token_endpoint_auth_method: 'none',
        redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback', 'com.example.app:/callback'],
        post_logout_redirect_uris: ['http://127.0.0.1/bye'],
        grant_types: ['authorization_code', 'refresh_token', 'implicit', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code', 'id_token', 'code id_token', 'none'],
      },
      {
        client_id: 'web', client_secret: 'web-secret-web-secret-web-secret-web',
        redirect_uris: (env.OP_REDIRECT_URIS || 'http://127.0.0.1:8080/auth/callback').split(' '),
        post_logout_redirect_uris: (env.OP_LOGOUT_URIS || 'http://127.0.0.1:8080/').split(' '),
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        response_types: ['code'],
      },
      { // what form-encoding the two halves of client_secret_basic is for
        client_id: 'odd: %2B+/?&=', client_secret: `se cret:%25+/?&=~${'x'.repeat(32)}`,
        redirect_uris: ['http://127.0.0.1:9/auth/callback'], grant_types: ['authorization_code'], response_types: ['code'],
      },
    ],
    clockTolerance: 5,
    conformIdTokenClaims: env.OP_CONFORM_ID_TOKEN !== '0',
    cookies: { keys: ['one-fixed-test-key'] },
    discovery: {
      claims_locales_supported: ['en'], ui_locales_supported: ['en', 'fr'], display_values_supported: ['page'],
      service_documentation: 'https://example.com/docs', op_policy_uri: 'https://example.com/policy', op_tos_uri: 'https://example.com/tos',
      prompt_values_supported: ['none', 'login', 'consent', ...(dev ? [] : ['select_account'])],
      ...(mtls && {
        mtls_endpoint_aliases: {
          token_endpoint: `${mtls}/token`, revocation_endpoint: `${mtls}/token/revocation`, introspection_endpoint: `${mtls}/token/introspection`,
          device_authorization_endpoint: `${mtls}/device/auth`, pushed_authorization_request_endpoint: `${mtls}/request`,
          userinfo_endpoint: `${mtls}/me`, backchannel_authentication_endpoint: `${mtls}/backchannel`,
        },
      }),
    },
    enabledJWA: jwa,
    enableHttpPostMethods: env.OP_POST_METHODS === '1',
    extraClientMetadata: { properties: ['x_access_token_ttl', 'x_first_access_token_ttl', 'x_id_token_ttl', 'x_rotate', 'x_dpop_nonce', 'x_interval', 'x_ignores_acr', 'x_ignores_max_age', 'x_reuse_leeway'] },
    extraParams: shape?.audienceParameter ? [shape.audienceParameter] : [],
    extraTokenClaims: async (_ctx, token) => ({
      'urn:op:test': 'extra', ...(token.accountId && shape?.access?.(users.get(token.accountId) ?? {}, token.accountId)),
    }),
    features: {
      devInteractions: { enabled: dev },
      backchannelLogout: { enabled: true },
      ciba: {
        enabled: true, deliveryModes: ['poll', 'ping'],
        processLoginHint: async (_ctx, hint) => hint,
        processLoginHintToken: async (_ctx, token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub,
        validateRequestContext: async () => {},
        verifyUserCode: async (_ctx, _account, code) => { if (code === 'wrong') throw new errors.InvalidUserCode(); },
        triggerAuthenticationDevice: async () => {},
      },
      claimsParameter: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: {
        enabled: true, nonceSecret: crypto.createHash('sha256').update('dpop-nonce').digest(),
        requireNonce: (ctx) => env.OP_DPOP_NONCE === '1' || Boolean(ctx.oidc.client?.x_dpop_nonce),
      },
      encryption: { enabled: true },
      fapi: env.OP_FAPI ? { enabled: true, profile: env.OP_FAPI } : { enabled: false, profile: undefined },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true },
      jwtResponseModes: { enabled: true },
      jwtUserinfo: { enabled: true },
      mTLS: {
        enabled: Boolean(mtls), certificateBoundAccessTokens: true, selfSignedTlsClientAuth: true, tlsClientAuth: true,
        getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.()?.toString(),
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches,
      },
      pushedAuthorizationRequests: { enabled: true, allowUnregisteredRedirectUris: false },
      registration: { enabled: true, issueRegistrationAccessToken: true, initialAccessToken: env.OP_INITIAL_ACCESS_TOKEN || false },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      requestObjects: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // Who asks for several at once gets a token for the first, and refreshes for the others.
        defaultResource: async (_ctx, _client, several) => several?.[0],
        useGrantedResource: async () => true,
        getResourceServerInfo: resourceServer,
      },
      revocation: { enabled: true },
      richAuthorizationRequests: {
        enabled: true,
        types: {
          payment: { validate(_ctx, detail) { if (detail.amount === undefined) throw new errors.InvalidAuthorizationDetails('amount missing'); } },
          account: { validate() {} },
        },
        authorizationDetailsForGrantSource: async (ctx, source) => source?.rar ?? requestedDetails(ctx),
        authorizationDetailsForAccessToken: async (ctx, _token, source) => source?.rar ?? requestedDetails(ctx),
        authorizationDetailsForIntrospection: async (_ctx, token) => token.rar,
      },
      rpInitiatedLogout: { enabled: !shape?.noEndSession, logoutSource, postLogoutSuccessSource },
      rpMetadataChoices: { enabled: true },
      userinfo: { enabled: true },
      // Experimental in 9.13: want an ack of the draft's version.
      webMessageResponseMode: { enabled: true, ack: 'individual-draft-01' },
    },
    // The package refuses to call loopback addresses (SSRF protection), which
    // would stop jwks_uri, sector_identifier_uri, back-channel logout and CIBA
    // ping in a test: drop its dispatcher.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
    findAccount: accountFinder(shape),
    interactions: { policy: policy(dev), ...(dev ? {} : { url: (_ctx, i) => `/interaction/${i.uid}` }) },
    issueRefreshToken: async (_ctx, client, code) => client.grantTypeAllowed('refresh_token')
      && (code.scopes.has('offline_access') || client.applicationType === 'web'),
    pairwiseIdentifier: async (_ctx, account, client) => crypto.createHash('sha256').update(`${client.sectorIdentifier}|${account}`).digest('hex'),
    pkce: { required: (_ctx, client) => client.clientAuthMethod === 'none' },
    responseTypes: ['code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token', 'none'],
    rotateRefreshToken: (ctx) => ctx.oidc.client.x_rotate !== false && shape?.rotate !== false,
    ...(shape && { routes: shape.routes }),
    scopes: ['openid', 'offline_access', 'api:read', 'api:write'],
    subjectTypes: ['public', 'pairwise'],
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none', ...(mtls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : []),
    ],
    ttl: {
      AccessToken: accessTokenTTL,
      IdToken: (_ctx, _token, client) => client.x_id_token_ttl || 3600,
      AuthorizationCode: 60, BackchannelAuthenticationRequest: (ctx) => Math.min(Number(ctx?.oidc?.params?.requested_expiry) || 600, 600), ClientCredentials: 600, DeviceCode: 600,
      Grant: 86400, Interaction: 3600, RefreshToken: 86400, Session: 86400,
    },
    jwks: { keys },
  };
  if (conf.enableHttpPostMethods) conf.cookies.long = { httpOnly: true, sameSite: 'none', secure: true };
  return conf;
}
