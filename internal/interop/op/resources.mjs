// The APIs that this provider issues access tokens for (RFC 8707). A test makes
// its own, and says what their tokens look like.
import { createPublicKey } from 'node:crypto';
import { errors } from 'oidc-provider';

const resources = new Map();

// addResource makes or changes one. audience: the token's aud, uri itself by
// default. format: jwt (RFC 9068) or opaque. alg: what signs. encrypt: {alg, enc,
// jwk}, with the API's public key.
export function addResource({ uri, audience = uri, format = 'jwt', alg = 'RS256', encrypt }) {
  const jwt = { sign: { alg } };
  if (encrypt) jwt.encrypt = { alg: encrypt.alg, enc: encrypt.enc, kid: encrypt.jwk.kid, key: createPublicKey({ key: encrypt.jwk, format: 'jwk' }) };
  resources.set(uri, {
    audience, scope: 'api:read api:write', accessTokenTTL: 600, accessTokenFormat: format, ...(format === 'jwt' && { jwt }),
  });
  return {};
}

addResource({ uri: 'https://api.example.com' });

export async function resourceServer(_ctx, uri) {
  const found = resources.get(uri);
  if (!found) throw new errors.InvalidTarget();
  return found;
}
