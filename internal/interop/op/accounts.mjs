// The users of this provider, and what it can say about how they signed in.
// Any name that is not here is a user too, but for "nobody".
export const users = new Map(Object.entries({
  alice: {
    email: 'alice@example.com', email_verified: true, name: 'Alice Doe', given_name: 'Alice', family_name: 'Doe', nickname: 'al',
    preferred_username: 'alice', locale: 'en-GB', zoneinfo: 'Europe/Paris', updated_at: 1700000000,
    phone_number: '+15550001', phone_number_verified: true, address: { formatted: '1 Main St\nParis', country: 'FR' },
    groups: ['admin', 'staff'], roles: ['owner'],
  },
  bob: { email: 'bob@example.com', email_verified: false, name: 'Bob', preferred_username: 'bob', groups: [] },
  'ünïcode': { email: 'u@example.com', email_verified: true, name: 'Ünï Çode 漢字 🔐' },
}));

export const ACRS = ['urn:op:1fa', 'urn:op:2fa', 'phr'];
export const AMR = { 'urn:op:1fa': ['pwd'], 'urn:op:2fa': ['pwd', 'otp', 'mfa'], phr: ['hwk', 'user'] };

export function accountFinder(shape) {
  return async (ctx, sub) => {
    if (sub === 'nobody') return undefined;
    return {
      accountId: sub,
      async claims(use) {
        const user = users.get(sub) ?? { email: `${sub}@example.com`, email_verified: false, name: sub };
        const claims = { sub, ...user, ...(use === 'id_token' ? shape?.claims?.(user, sub, ctx.oidc.client.clientId) : undefined) };
        return use === 'userinfo' && shape?.userinfo ? shape.userinfo(claims) : claims;
      },
    };
  };
}
