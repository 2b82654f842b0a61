// Signing and encryption keys, one of each kind; every call makes new ones.
import * as crypto from 'node:crypto';

let generation = 0;

export function makeKeys() {
  generation += 1;
  const jwk = (type, options, kid, use) => ({
    ...crypto.generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use, kid: `${kid}-${generation}`,
  });
  return [
    jwk('rsa', { modulusLength: 2048 }, 'rsa', 'sig'),
    jwk('ec', { namedCurve: 'P-256' }, 'p256', 'sig'),
    jwk('ec', { namedCurve: 'P-384' }, 'p384', 'sig'),
    jwk('ec', { namedCurve: 'P-521' }, 'p521', 'sig'),
    jwk('ed25519', undefined, 'ed25519', 'sig'),
    jwk('rsa', { modulusLength: 2048 }, 'rsa-enc', 'enc'),
    jwk('ec', { namedCurve: 'P-256' }, 'p256-enc', 'enc'),
  ];
}
