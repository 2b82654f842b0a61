// All that the script knows of who is signed in is what /auth/session says. The cookie is not
// for scripts, and a token never comes here.

const at = (id) => document.getElementById(id);

// call asks this site. The header says that it is a script of this site who asks: a form or an
// image on another one cannot send it, and without it the server answers 403.
function call(path, options = {}) {
  return fetch(path, { ...options, headers: { "X-CSRF": "1", ...options.headers } });
}

// here is where a sign-in is to come back to.
function here(login) {
  return login + (login.includes("?") ? "&" : "?") + "return_to=" + encodeURIComponent(location.pathname + location.search);
}

function show(id, shown) {
  at(id).hidden = !shown;
}

function fail(text) {
  at("failed").textContent = text;
  show("failed", text !== "");
}

// api calls the API, through this site. It gives the answer, or null when there is nothing to
// do but to say so, which it has done then.
async function api(path, options) {
  fail("");
  show("step-up", false);
  const answer = await call("/api" + path, options);
  if (answer.ok) return answer;
  const problem = answer.headers.get("Content-Type")?.startsWith("application/problem+json") ? await answer.json() : {};
  if (answer.status === 401 && problem.login?.includes("step_up=")) {
    // The API wants to be surer who it is. This is a link and no redirect: whoever was asked
    // to click knows why the sign-in page is there.
    at("step-up-link").href = here(problem.login);
    show("step-up", true);
  } else if (answer.status === 401) {
    await start(); // the session is over: it says why
  } else {
    fail(problem.detail || "The notes cannot be had just now.");
  }
  return null;
}

async function notes() {
  const answer = await api("/notes");
  if (!answer) return;
  at("notes").replaceChildren(...(await answer.json()).map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

const reasons = {
  "no-session": "",
  "idle": "You were away for long, so you were signed out.",
  "expired": "You have been signed in for long enough. Please sign in again.",
  "revoked": "You have signed out elsewhere.",
};

function claims(all) {
  at("claims").replaceChildren(...Object.entries(all).map(([name, value]) => {
    const row = document.createElement("tr");
    for (const [kind, text] of [["th", name], ["td", value]]) {
      const cell = document.createElement(kind);
      cell.textContent = typeof text === "string" ? text : JSON.stringify(text);
      row.append(cell);
    }
    return row;
  }));
}

let timer;

async function start() {
  const answer = await call("/auth/session");
  if (!answer.ok) return fail("This page does not work just now.");
  const session = await answer.json();
  show("anonymous", !session.signed_in);
  show("member", session.signed_in);
  show("sign-out", session.signed_in);
  at("sign-in").href = here(session.login);
  if (!session.signed_in) {
    at("reason").textContent = reasons[session.reason] ?? "Please sign in again.";
    return;
  }
  at("name").textContent = session.claims.name ?? session.claims.sub;
  at("left").textContent = Math.floor(session.idle_in / 60);
  at("sign-out").action = session.logout;
  claims(session.claims);
  // When it ends, look again: another tab may have signed in anew.
  clearTimeout(timer);
  timer = setTimeout(start, Math.min(session.idle_in + 1, 86400) * 1000);
}

at("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const text = new FormData(form).get("text");
  const answer = await api("/notes", { method: "POST", body: JSON.stringify(text), headers: { "Content-Type": "application/json" } });
  if (!answer) return;
  form.reset();
  await notes();
});

at("clear").addEventListener("click", async () => {
  if (await api("/notes", { method: "DELETE" })) await notes();
});

await start();
if (!at("member").hidden) await notes();
