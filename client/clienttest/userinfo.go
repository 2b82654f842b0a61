package clienttest

import (
	"net/http"
	"strings"
)

// serveUserInfo answers with the claims of the user whose access token comes in the
// Authorization header (OpenID Connect Core section 5.3).
func (p *Provider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	if p.userInfoFault(w, r) {
		return
	}
	p.giveNonce(w)
	token, refused := p.present(r)
	if p.has(UserInfo401) || refused == nil && token.grant.machine {
		refused = &endpointError{http.StatusUnauthorized, "invalid_token", "refused"}
	}
	if refused != nil {
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "DPoP") {
			scheme = "Bearer"
		}
		w.Header().Set("WWW-Authenticate", scheme+` error="`+refused.code+`"`)
		writeJSON(w, refused.status, map[string]any{"error": refused.code})
		return
	}
	p.writeUserInfo(w, token.grant.session.subject)
}

// userInfoFault answers in place of the endpoint, if a fault says so.
func (p *Provider) userInfoFault(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case p.has(NoUserInfo):
		http.NotFound(w, r)
	case p.has(UserInfo500):
		serverError(w)
	case p.has(UserInfoHTML):
		writeHTML(w)
	case p.has(UserInfoRedirect):
		redirectElsewhere(w)
	default:
		return false
	}
	return true
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
