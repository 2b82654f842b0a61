// Signing and encryption keys, one of each kind; every call makes new ones.
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);
let generation = 0;

async function make([type, options, kid, use]) {
  // Not generateKeyPairSync and then export: with Node 20 a garbage collection
  // in between can wait for a lock that the export holds, for ever.
  const { privateKey } = await generate(type, { ...options, privateKeyEncoding: { format: 'jwk' }, publicKeyEncoding: { format: 'jwk' } });
  return { ...privateKey, use, kid: `${kid}-${generation}` };
}

export async function makeKeys() {
  generation += 1;
  return Promise.all([
    ['rsa', { modulusLength: 2048 }, 'rsa', 'sig'],
    ['ec', { namedCurve: 'P-256' }, 'p256', 'sig'],
    ['ec', { namedCurve: 'P-384' }, 'p384', 'sig'],
    ['ec', { namedCurve: 'P-521' }, 'p521', 'sig'],
    ['ed25519', {}, 'ed25519', 'sig'],
    ['rsa', { modulusLength: 2048 }, 'rsa-enc', 'enc'],
    ['ec', { namedCurve: 'P-256' }, 'p256-enc', 'enc'],
  ].map(make));
}
