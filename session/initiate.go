package session

import (
	"net/http"
	"net/url"
	"slices"
)

// InitiateLoginHandler starts a sign-in that somebody else asks for: a provider's page of
// apps (third-party initiated login, OpenID Connect Core 4). Register it at the
// initiate_login_uri of the client; Routes does not, for most apps have none. It takes GET,
// and POST with a form.
//
// iss must be the issuer of one of the providers. login_hint goes to it, and
// target_link_uri is where the user comes back to, if it is an address of this app; nothing
// else of the request is looked at. See [client.Client.InitiateLogin].
//
// Anybody can send a browser here. It starts a sign-in and does nothing more: who is signed
// in stays so, unless somebody signs in at the provider.
func (m *Manager) InitiateLoginHandler() http.Handler {
	return m.allow(m.serveInitiate, http.MethodGet, http.MethodPost)
}

func (m *Manager) serveInitiate(w http.ResponseWriter, r *http.Request) {
	if embedded(r) {
		m.fail(w, r, &Error{Status: http.StatusForbidden, Reason: ReasonNotNavigation})
		return
	}
	params, err := callbackParams(w, r)
	if err != nil {
		m.fail(w, r, &Error{Status: http.StatusBadRequest, Reason: ReasonInitiationInvalid, Err: err})
		return
	}
	p := m.providers[0]
	if i := slices.IndexFunc(m.providers, func(p *provider) bool { return p.rp.IsIssuer(params.Get("iss")) }); i >= 0 {
		p = m.providers[i]
	}
	opts, target, err := p.rp.InitiateLogin(params)
	if err != nil {
		m.fail(w, r, &Error{Status: http.StatusBadRequest, Reason: ReasonInitiationInvalid, Err: err})
		return
	}
	m.begin(w, r, &LoginOptions{Provider: p.name, ReturnTo: localPart(target)}, loginPurpose{loginHint: opts.LoginHint})
}

// localPart is an address of ours as seen from here; "/" for none.
func localPart(address string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return "/"
	}
	return u.RequestURI()
}

// SwitchAccountHandler lets a user sign in with another account: it sends the browser to
// the provider of the session, which is to ask which account is meant (prompt of
// select_account, OpenID Connect Core 3.1.2.1). It comes back to the local address in the
// query parameter return_to, or to "/". The present session goes on until then.
func (m *Manager) SwitchAccountHandler() http.Handler {
	return m.allow(func(w http.ResponseWriter, r *http.Request) {
		if embedded(r) {
			m.fail(w, r, &Error{Status: http.StatusForbidden, Reason: ReasonNotNavigation})
			return
		}
		opts := LoginOptions{ReturnTo: wantedReturn(r)}
		if rec := m.present(r); rec != nil && m.provider(rec.provider) != nil {
			opts.Provider = rec.provider
		}
		m.begin(w, r, &opts, loginPurpose{prompt: "select_account"})
	}, http.MethodGet, http.MethodHead)
}

// wantedReturn is the one query parameter that says where to come back to; "/" for none.
func wantedReturn(r *http.Request) string {
	if values := r.URL.Query()["return_to"]; len(values) == 1 {
		return or(values[0], "/")
	}
	return "/"
}
