package clienttest

import (
	"net/http"
	"strings"
)

// serveUserInfo answers with the claims of the user whose access token comes in the
// Authorization header (OpenID Connect Core section 5.3).
func (p *Provider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.has(NoUserInfo):
		http.NotFound(w, r)
		return
	case p.has(UserInfo500):
		serverError(w)
		return
	case p.has(UserInfoHTML):
		writeHTML(w)
		return
	case p.has(UserInfoRedirect):
		redirectElsewhere(w)
		return
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token := p.bearer(value)
	if token == nil || token.grant.machine || !strings.EqualFold(scheme, "Bearer") || p.has(UserInfo401) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
		return
	}
	p.writeUserInfo(w, token.grant.session.subject)
}

func (p *Provider) writeUserInfo(w http.ResponseWriter, subject string) {
	claims := p.claims(subject)
	claims["sub"] = subject
	if p.has(UserInfoWrongSub) {
		claims["sub"] = otherUser
	}
	if p.has(UserInfoMissingSub) {
		delete(claims, "sub")
	}
	if p.has(UserInfoHuge) {
		writeHuge(w)
	}
	writeJSON(w, http.StatusOK, claims)
}
