package clienttest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The grants of grant_types_supported.
const (
	grantCode              = "authorization_code"
	grantRefresh           = "refresh_token"
	grantClientCredentials = "client_credentials"
	grantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
	grantExchange          = "urn:ietf:params:oauth:grant-type:token-exchange"
)

func grantTypes() []string {
	return []string{grantCode, grantRefresh, grantClientCredentials, grantDevice, grantExchange}
}

const typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"

// repeatable are the parameters that may come several times (RFC 8707 section 2, RFC
// 8693 section 2.1).
func repeatable(name string) bool { return name == "resource" || name == "audience" }

// clientToken issues an access token to the client itself (RFC 6749 section 4.4): without
// a user there is no ID token, and without need no refresh token.
func (p *Provider) clientToken(r *http.Request, c *registered) (map[string]any, *endpointError) {
	if c.AuthMethod == authNone {
		return nil, unauthorizedClient("a public client proves nothing")
	}
	scope := strings.Fields(r.PostForm.Get("scope"))
	if slices.Contains(scope, "openid") {
		return nil, invalidScope("there is no user to say something of")
	}
	g := &grant{client: c.ID, scope: scope, session: *p.newSession(c.ID, nil), machine: true}
	claims := p.accessTokenClaims(g, c.ID, scope)
	delete(claims, "auth_time") // RFC 9068 section 2.2.1: those of a user
	delete(claims, "acr")
	return p.withAccessToken(g, claims, r.PostForm), nil
}

// exchangeToken trades a live access token of this provider for one of the client (RFC
// 8693). Its scope is at most that of the old one, and an actor stands in act.
func (p *Provider) exchangeToken(r *http.Request, c *registered) (map[string]any, *endpointError) {
	form := r.PostForm
	if c.AuthMethod == authNone {
		return nil, unauthorizedClient("a public client proves nothing")
	}
	if requested := form.Get("requested_token_type"); requested != "" && requested != typeAccessToken {
		return nil, invalidRequest("only access tokens are issued")
	}
	subject := p.traded(form, "subject_token")
	if subject == nil {
		return nil, invalidRequest("the subject_token is no live access token of this provider") // section 2.2.2
	}
	scope := subject.grant.scope
	if asked := strings.Fields(form.Get("scope")); len(asked) > 0 {
		if slices.ContainsFunc(asked, func(s string) bool { return !subject.grant.has(s) }) {
			return nil, invalidScope("more than the subject_token has")
		}
		scope = asked
	}
	g := &grant{client: c.ID, scope: scope, session: subject.grant.session, machine: subject.grant.machine}
	claims := maps.Clone(subject.claims)
	maps.Copy(claims, p.accessTokenClaims(g, g.session.subject, scope))
	if form.Has("actor_token") {
		actor := p.traded(form, "actor_token")
		if actor == nil {
			return nil, invalidRequest("the actor_token is no live access token of this provider")
		}
		claims["act"] = map[string]any{"sub": actor.claims["sub"]} // section 4.1
	}
	answer := p.withAccessToken(g, claims, form)
	answer["issued_token_type"] = typeAccessToken
	return answer, nil
}

// traded finds the access token in a parameter; nil: there is none that lives.
func (p *Provider) traded(form url.Values, name string) *accessToken {
	if form.Get(name+"_type") != typeAccessToken {
		return nil
	}
	return p.bearer(form.Get(name))
}

// withAccessToken issues a token for the APIs that a request names.
func (p *Provider) withAccessToken(g *grant, claims map[string]any, form url.Values) map[string]any {
	setAudience(claims, slices.Concat(form["audience"], form["resource"]))
	claims["jti"] = rand.Text()
	return map[string]any{
		"access_token": p.issueAccessToken(g, claims),
		"token_type":   "Bearer",
		"expires_in":   int(p.accessTokenTTL.Seconds()),
		"scope":        strings.Join(g.scope, " "),
	}
}

func unauthorizedClient(why string) *endpointError {
	return &endpointError{http.StatusBadRequest, "unauthorized_client", why}
}

func invalidScope(why string) *endpointError {
	return &endpointError{http.StatusBadRequest, "invalid_scope", why}
}
