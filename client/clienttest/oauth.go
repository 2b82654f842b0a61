package clienttest

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The paths of a provider with Options.OAuthOnly, those of GitHub.
const (
	pathOAuthAuthorize = "/login/oauth/authorize"
	pathOAuthToken     = "/login/oauth/access_token"
	pathUser           = "/user"
	pathEmails         = "/user/emails"
)

// authorizePath is that of the authorization endpoint.
func (p *Provider) authorizePath() string {
	if p.oauthOnly {
		return pathOAuthAuthorize
	}
	return pathAuthorize
}

func (p *Provider) routeOAuth(r *http.Request) (string, http.HandlerFunc) {
	switch r.URL.Path {
	case p.path(pathOAuthAuthorize):
		return authorizationEndpoint, allow(p.serveAuthorize, "GET")
	case p.path(pathSignIn):
		return signInEndpoint, allow(p.serveSignIn, "POST")
	case p.path(pathOAuthToken):
		return tokenEndpoint, allow(p.serveOAuthToken, "POST")
	case p.path(pathUser):
		return userInfoEndpoint, allow(p.serveUser, "GET")
	case p.path(pathEmails):
		return emailsEndpoint, allow(p.serveEmails, "GET")
	}
	return unknownEndpoint, http.NotFound
}

// checkOAuth checks an authorization request: PKCE is for who wants it, and there is no response
// type but code, asked for or not.
func (a *authorization) checkOAuth(q url.Values) *endpointError {
	a.types = []string{"code"}
	a.mode = modeQuery
	a.loginHint = q.Get("login")
	a.scope = strings.Fields(strings.ReplaceAll(q.Get("scope"), ",", " "))
	if refused := single(q); refused != nil {
		return refused
	}
	if a.challenge != "" && q.Get("code_challenge_method") != "S256" {
		return invalidRequest("PKCE is done with S256")
	}
	return nil
}

// serveOAuthToken trades a code. The answer is a form, and JSON for who accepts that;
// an error has status 200.
func (p *Provider) serveOAuthToken(w http.ResponseWriter, r *http.Request) {
	if !p.hold(r.Context(), TokenSlow) {
		return
	}
	if p.tokenFault(w, r) {
		return
	}
	answer := p.oauthToken(r)
	p.hold(r.Context(), TokenAnswerSlow)
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		p.writeTokens(w, answer)
		return
	}
	for _, f := range p.active() {
		spoilTokens(f, answer)
	}
	form := url.Values{}
	for name, value := range answer {
		form.Set(name, fmt.Sprint(value))
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write([]byte(form.Encode()))
}

func (p *Provider) oauthToken(r *http.Request) map[string]any {
	c, refused := p.authenticate(r)
	if refused != nil {
		return oauthError("incorrect_client_credentials", "the client_id or the client_secret is incorrect")
	}
	form := r.PostForm
	if grant := form.Get("grant_type"); grant != "" && grant != grantCode {
		return oauthError("unsupported_grant_type", "only authorization_code")
	}
	g, refused := p.redeem(form.Get("code"), c.ID)
	if refused != nil {
		return badCode()
	}
	if form.Has("redirect_uri") && form.Get("redirect_uri") != g.redirectURL {
		return oauthError("redirect_uri_mismatch", "the redirect_uri is not that of the authorization request")
	}
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if g.challenge != "" && subtle.ConstantTimeCompare([]byte(encode(sum[:])), []byte(g.challenge)) != 1 {
		return badCode()
	}
	return map[string]any{
		"access_token": p.issueAccessToken(g, map[string]any{"sub": g.session.subject}),
		"scope":        strings.Join(g.scope, ","),
		"token_type":   "bearer",
	}
}

func oauthError(code, description string) map[string]any {
	return map[string]any{"error": code, "error_description": description}
}

func badCode() map[string]any {
	return oauthError("bad_verification_code", "the code is incorrect or expired")
}

// serveUser says whose access token it is.
func (p *Provider) serveUser(w http.ResponseWriter, r *http.Request) {
	token := p.oauthBearer(w, r)
	if token == nil {
		return
	}
	subject := token.grant.session.subject
	if p.has(UserInfoWrongSub) {
		subject = otherUser
	}
	claims := p.claims(subject)
	user := map[string]any{"login": subject, "id": userID(claims, subject), "type": "User", "name": claims["name"], "email": nil}
	if p.has(UserInfoMissingSub) {
		delete(user, "id")
	}
	if p.has(UserInfoHuge) {
		writeHuge(w)
	}
	writeJSON(w, http.StatusOK, user)
}

// serveEmails lists the addresses of a user, the primary one last.
func (p *Provider) serveEmails(w http.ResponseWriter, r *http.Request) {
	token := p.oauthBearer(w, r)
	if token == nil {
		return
	}
	if !token.grant.has("user:email") && !token.grant.has("user") {
		writeJSON(w, http.StatusNotFound, map[string]any{"message": "Not Found"})
		return
	}
	claims := p.claims(token.grant.session.subject)
	address, _ := claims["email"].(string)
	all := []map[string]any{{
		"email": token.grant.session.subject + "@users.noreply.example.com", "verified": true, "primary": false, "visibility": nil,
	}}
	if address != "" {
		all = append(all, map[string]any{
			"email": address, "verified": claims["email_verified"] == true, "primary": true, "visibility": "private",
		})
	}
	writeBody(w, http.StatusOK, mustJSON(all))
}

// oauthBearer finds the access token of a request; nil: it has been answered.
func (p *Provider) oauthBearer(w http.ResponseWriter, r *http.Request) *accessToken {
	if p.userInfoFault(w, r) {
		return nil
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token := p.bearer(value)
	if token == nil || p.has(UserInfo401) || !slices.Contains([]string{"bearer", "token"}, strings.ToLower(scheme)) {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"message": "Bad credentials"})
		return nil
	}
	return token
}

// userID is the number of a user: the claim id, or one that is always the same for a name.
func userID(claims map[string]any, subject string) any {
	if id, ok := claims["id"].(int); ok {
		return id
	}
	h := fnv.New32a()
	h.Write([]byte(subject))
	return h.Sum32()
}
