package clienttest

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// AccessToken issues an access token without a sign-in, for the test of an API. Its
// claims are those of an access token of the first user for the first client: iss, aud,
// sub, client_id, scope ("openid"), iat, exp, jti, auth_time and acr. A claim given here
// replaces its like, nil leaves it out, and any other is added: exp in the past is an
// expired token. A value that JSON cannot hold panics.
//
// It is signed with the current key, under typ at+jwt (RFC 9068 section 2.1), or opaque,
// as Options.OpaqueAccessTokens says. The provider knows it as one of its own. An API that
// verifies it takes the keys from Issuer() + "/jwks", by HTTPClient; one that is configured
// for a provider with another typ needs at+jwt beside that in Verifier.AccessTokenTypes.
func (p *Provider) AccessToken(claims map[string]any) string {
	p.mu.Lock()
	client, subject := p.clients[0].ID, p.users[0].Subject
	p.mu.Unlock()
	g := &grant{client: client, session: *p.newSession(subject, nil)}
	all := p.accessTokenClaims(g, subject, []string{"openid"})
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	if sub, ok := all["sub"].(string); ok {
		g.session.subject = sub
	}
	return p.issueAccessToken(g, all)
}

// newAccessToken makes the access token of a sign-in or a refresh.
func (p *Provider) newAccessToken(g *grant, subject string, scope, audience []string) string {
	claims := p.accessTokenClaims(g, subject, scope)
	setAudience(claims, audience)
	return p.issueAccessToken(g, claims)
}

// accessTokenClaims are those of RFC 9068 section 2.2. The audience is what the parameter
// "audience" of the authorization request named.
func (p *Provider) accessTokenClaims(g *grant, subject string, scope []string) map[string]any {
	now := p.Now()
	claims := map[string]any{
		"iss":       p.Issuer(),
		"sub":       subject,
		"aud":       orDefault(g.audience, orDefault(p.audience, p.Issuer())),
		"client_id": g.client,
		"scope":     strings.Join(scope, " "),
		"iat":       now.Unix(),
		"exp":       now.Add(p.accessTokenTTL).Unix(),
		"jti":       rand.Text(),
		"auth_time": g.session.authTime.Unix(),
		"acr":       g.session.acr,
	}
	if g.jkt != "" {
		claims["cnf"] = map[string]any{"jkt": g.jkt} // RFC 9449 section 6.1
	}
	return claims
}

func (p *Provider) issueAccessToken(g *grant, claims map[string]any) string {
	payload := mustJSON(claims)
	token := rand.Text()
	if !p.opaque {
		key := p.ring().current
		token = key.sign(key.header("at+jwt"), payload)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.access[token] = &accessToken{grant: g, claims: claims, expires: expiry(payload)}
	return token
}

// expiry is the end of a token; zero: exp is not there, or no number, and the token lasts.
func expiry(payload []byte) time.Time {
	claims := map[string]any{}
	if json.Unmarshal(payload, &claims) != nil {
		return time.Time{}
	}
	seconds, ok := claims["exp"].(float64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// over says whether the time of a token is over.
func (t *accessToken) over(now time.Time) bool { return !t.expires.IsZero() && !now.Before(t.expires) }
