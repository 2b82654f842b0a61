// The pages a person sees at this provider: sign-in, consent, logout. They have
// the fields of the package's quick-start pages, and besides: a password that is
// refused ("wrong"), an unknown user ("nobody"), cancelling, acr with step-up,
// and a consent that leaves scopes out (reject=...).
import { interactionPolicy } from 'oidc-provider';
import { ACRS, AMR } from './accounts.mjs';

const esc = (s) => String(s ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${esc(title)}</title><h1>${esc(title)}</h1>${body}</html>`;
const html = (ctx, status, title, body) => { ctx.status = status; ctx.type = 'html'; ctx.body = page(title, body); };

export function policy(dev) {
  const p = interactionPolicy.base();
  // acr_values is voluntary in OpenID Connect, and the package only enforces an
  // essential acr claim. Ask again when acr_values names a level that the
  // session does not have (step-up, RFC 9470).
  const { checks } = p.get('login');
  checks.add(new interactionPolicy.Check('acr_values', 'requested ACR not satisfied', (ctx) => {
    const want = ctx.oidc.params.acr_values?.split(' ').filter(Boolean) ?? [];
    if (!want.length || !want.some((w) => ACRS.includes(w))) return false;
    return !want.includes(ctx.oidc.acr);
  }));
  for (const name of ['acr_values', 'essential_acr', 'essential_acrs']) {
    const check = checks.get(name);
    const ask = check.check;
    check.check = (ctx) => !ctx.oidc.client.x_ignores_acr && ask(ctx);
  }
  const age = checks.get('max_age');
  const tooOld = age.check;
  age.check = (ctx) => !ctx.oidc.client.x_ignores_max_age && tooOld(ctx);
  if (!dev) p.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);
  return p;
}

// logoutSource asks before it ends the session; without logout=yes only the
// client that asked is signed out.
export async function logoutSource(ctx, form) {
  ctx.body = page('Sign-out', `${form}<button id="ok" autofocus form="op.logoutForm" name="logout" value="yes">Sign out everywhere</button>
<button id="stay" form="op.logoutForm">Stay signed in here</button>`);
}

export async function postLogoutSuccessSource(ctx) {
  ctx.body = page('Signed out', '<p id="signed-out">You are signed out.</p>');
}

async function posted(ctx) {
  const chunks = [];
  for await (const chunk of ctx.req) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

function wantedACR({ prompt, params }) {
  const essential = prompt.details?.acr ?? {};
  return [essential.value, ...(essential.values ?? []), ...(params.acr_values?.split(' ') ?? [])].find((v) => ACRS.includes(v)) ?? ACRS[0];
}

function show(ctx, { prompt, params, ...details }, action) {
  if (prompt.name === 'consent') {
    html(ctx, 200, 'Authorize', `<p id="details"><code>${esc(JSON.stringify(prompt.details))}</code></p>
<form method="post" action="${action}"><input type="hidden" name="prompt" value="consent"><button id="ok" type="submit">Continue</button></form>
<a id="abort" href="${action}/abort">Cancel</a>`);
    return;
  }
  html(ctx, 200, 'Sign-in', `<p id="acr">${esc(wantedACR({ prompt, params, ...details }))}</p>
<form method="post" action="${action}"><input type="hidden" name="prompt" value="${esc(prompt.name)}">
<input required name="login" value="${esc(params.login_hint)}"><input required type="password" name="password"><button id="ok" type="submit">Sign-in</button></form>
<a id="abort" href="${action}/abort">Cancel</a>`);
}

async function signIn(provider, ctx, details, body) {
  const login = body.get('login');
  if (!login || login === 'nobody' || body.get('password') === 'wrong') {
    html(ctx, 401, 'Sign-in failed', '<p id="error">wrong user name or password</p>');
    return undefined;
  }
  const client = await provider.Client.find(details.params.client_id);
  const acr = client.x_ignores_acr ? ACRS[0] : body.get('acr') || wantedACR(details);
  const result = { login: { accountId: login, acr, amr: AMR[acr], remember: body.get('remember') !== '0' } };
  if (details.prompt.name === 'select_account') result.select_account = {};
  return result;
}

async function consent(provider, { prompt, params, session, grantId }, body) {
  const grant = (grantId && await provider.Grant.find(grantId)) || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const missing = prompt.details;
  if (missing.missingOIDCScope) {
    const drop = (body.get('reject') ?? '').split(' ');
    grant.addOIDCScope(missing.missingOIDCScope.filter((s) => !drop.includes(s)).join(' '));
    if (drop[0]) grant.rejectOIDCScope(drop.join(' '));
  }
  if (missing.missingOIDCClaims) grant.addOIDCClaims(missing.missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missing.missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  for (const detail of missing.rar ?? []) grant.addRar(detail);
  return { consent: { grantId: await grant.save() } };
}

export function interactions(provider) {
  return async (ctx, next) => {
    const match = /^\/interaction\/([^/]+)(\/abort)?$/.exec(ctx.path);
    if (!match) return next();
    ctx.respond = true;
    const finish = async (result, merge) => {
      ctx.status = 303;
      ctx.set('location', await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: merge }));
      ctx.body = '';
    };
    let details;
    try {
      details = await provider.interactionDetails(ctx.req, ctx.res);
    } catch (e) {
      return html(ctx, 400, 'Session lost', `<p id="error">${esc(e.message)}</p>`);
    }
    if (match[2]) return finish({ error: 'access_denied', error_description: 'End-User aborted interaction' }, false);
    if (ctx.method === 'GET') return show(ctx, details, `/interaction/${match[1]}`);
    const body = await posted(ctx);
    if (details.prompt.name === 'consent') return finish(await consent(provider, details, body), true);
    const result = await signIn(provider, ctx, details, body);
    return result && finish(result, false);
  };
}
