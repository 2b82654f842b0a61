package clienttest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const retryAfter = "30" // seconds, of Token429

// serveToken answers the grants of grantTypes (RFC 6749 sections 4.1.3, 4.4 and 6, RFC
// 8628 section 3.4, RFC 8693).
func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	if !p.hold(r.Context(), TokenSlow) {
		return // who hung up is gone, and what they asked for is not done
	}
	p.giveNonce(w)
	if p.tokenFault(w, r) {
		return
	}
	answer, refused := p.token(r)
	p.hold(r.Context(), TokenAnswerSlow)
	switch {
	case refused != nil:
		refused.write(w)
	case p.has(RefreshLost) && r.PostForm.Get("grant_type") == "refresh_token":
		panic(http.ErrAbortHandler) // net/http closes the connection without an answer
	default:
		p.writeTokens(w, answer)
	}
}

// tokenFault answers in place of the endpoint, if a fault says so.
func (p *Provider) tokenFault(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case p.has(TokenErrorIn200):
		(&endpointError{http.StatusOK, "bad_verification_code", "the code is incorrect or expired"}).write(w)
	case p.has(TokenHTML):
		writeHTML(w)
	case p.has(Token500):
		serverError(w)
	case p.has(Token429):
		w.Header().Set("Retry-After", retryAfter)
		(&endpointError{http.StatusTooManyRequests, "slow_down", "too many requests"}).write(w)
	case p.has(TokenRedirect):
		redirectElsewhere(w)
	case p.has(InvalidGrant):
		invalidGrant("the grant was revoked").write(w)
	case p.has(InvalidTarget) && r.PostForm.Has("resource"):
		invalidTarget("there is no token for this resource").write(w)
	case p.has(InvalidClient):
		invalidClient("unknown client").write(w)
	case p.has(RefreshEmpty400) && r.PostForm.Get("grant_type") == "refresh_token":
		w.WriteHeader(http.StatusBadRequest)
	default:
		return false
	}
	return true
}

func (p *Provider) token(r *http.Request) (map[string]any, *endpointError) {
	for name, values := range r.PostForm {
		if len(values) > 1 && !repeatable(name) { // RFC 6749 section 3.2
			return nil, invalidRequest("the parameter " + strconv.Quote(name) + " came twice")
		}
	}
	c, refused := p.authenticate(r)
	if refused == nil {
		c.proved, refused = p.proof(r, "")
	}
	if refused != nil {
		return nil, refused
	}
	switch r.PostForm.Get("grant_type") {
	case grantCode:
		return p.exchange(r, c)
	case grantRefresh:
		return p.renewTokens(r, c)
	case grantClientCredentials:
		return p.clientToken(r, c)
	case grantDevice:
		return p.deviceTokens(r, c)
	case grantExchange:
		return p.exchangeToken(r, c)
	}
	why := "only " + strings.Join(grantTypes(), ", ")
	return nil, &endpointError{http.StatusBadRequest, "unsupported_grant_type", why}
}

// exchange trades a code (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
func (p *Provider) exchange(r *http.Request, c *registered) (map[string]any, *endpointError) {
	g, refused := p.redeem(r.PostForm.Get("code"), c.ID)
	if refused != nil {
		return nil, refused
	}
	if r.PostForm.Get("redirect_uri") != g.redirectURL {
		return nil, invalidGrant("the redirect_uri is not that of the authorization request")
	}
	if refused := g.checkKey(c.proved); refused != nil {
		return nil, refused
	}
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if subtle.ConstantTimeCompare([]byte(encode(sum[:])), []byte(g.challenge)) != 1 {
		return nil, invalidGrant("the code_verifier does not match the code_challenge")
	}
	audience, refused := p.resources(g, r.PostForm)
	if refused != nil {
		return nil, refused
	}
	answer := p.tokens(g, g.session.subject, g.nonce, g.scope, audience...)
	if g.has(scopeOffline) {
		answer["refresh_token"] = p.newRefreshToken(g)
	}
	return answer, nil
}

// renewTokens trades a refresh token (RFC 6749 section 6). The new ID token has no nonce
// (OpenID Connect Core section 12.2).
func (p *Provider) renewTokens(r *http.Request, c *registered) (map[string]any, *endpointError) {
	value := r.PostForm.Get("refresh_token")
	audience, refused := p.resources(p.refreshGrant(value), r.PostForm)
	if refused != nil {
		return nil, refused
	}
	rotate := !p.noRotation && !p.has(RefreshNoRotation)
	g, refused := p.renew(value, c.ID, rotate)
	if refused == nil {
		refused = g.checkKey(c.proved)
	}
	if refused != nil {
		return nil, refused
	}
	scope := g.scope
	if asked := strings.Fields(r.PostForm.Get("scope")); len(asked) > 0 {
		if slices.ContainsFunc(asked, func(s string) bool { return !g.has(s) }) {
			return nil, invalidScope("more than was granted")
		}
		scope = asked
	}
	subject := g.session.subject
	if p.has(RefreshOtherSub) {
		subject = otherUser
	}
	answer := p.tokens(g, subject, "", scope, audience...)
	if rotate {
		answer["refresh_token"] = p.newRefreshToken(g)
	}
	if p.has(RefreshNoIDToken) {
		delete(answer, "id_token")
	}
	return answer, nil
}

func (p *Provider) tokens(g *grant, subject, nonce string, scope []string, audience ...string) map[string]any {
	accessToken := p.newAccessToken(g, subject, scope, audience)
	return map[string]any{
		"access_token": accessToken,
		"token_type":   g.tokenType(),
		"expires_in":   int(p.accessTokenTTL.Seconds()),
		"scope":        strings.Join(scope, " "),
		"id_token":     p.newIDToken(g, subject, nonce, beside{accessToken: accessToken}),
	}
}

func (p *Provider) writeTokens(w http.ResponseWriter, answer map[string]any) {
	for _, f := range p.active() {
		spoilTokens(f, answer)
	}
	if p.has(TokenHuge) {
		writeHuge(w)
	}
	body := mustJSON(answer)
	if p.has(DoubleAccessToken) {
		body = append([]byte(`{"access_token":"`+otherUser+`",`), body[1:]...)
	}
	writeBody(w, http.StatusOK, body)
}

func spoilTokens(f Fault, answer map[string]any) {
	switch f {
	case NoIDToken:
		delete(answer, "id_token")
	case NoAccessToken:
		delete(answer, "access_token")
	case WrongTokenType:
		answer["token_type"] = "DPoP"
	case TokenTypeCase:
		answer["token_type"] = "bEARER"
	case NoExpiresIn:
		delete(answer, "expires_in")
	case ExpiresInZero:
		answer["expires_in"] = 0
	case ExpiresInString:
		if seconds, ok := answer["expires_in"].(int); ok {
			answer["expires_in"] = strconv.Itoa(seconds)
		}
	}
}
