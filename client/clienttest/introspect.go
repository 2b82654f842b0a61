package clienttest

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// serveIntrospect says whether a token is active, and what it is good for (RFC 7662
// section 2). Every client may ask about every token, but a public one, which proves
// nothing, about its own alone.
func (p *Provider) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	p.hold(r.Context(), IntrospectionSlow)
	if p.introspectionFault(w, r) {
		return
	}
	c, refused := p.authenticate(r)
	if refused == nil && r.PostForm.Get("token") == "" {
		refused = invalidRequest("no token")
	}
	if refused != nil {
		refused.write(w)
		return
	}
	answer := p.introspect(r.PostForm.Get("token"), c)
	for _, f := range p.active() {
		spoilIntrospection(f, answer, p.Now())
	}
	if p.has(IntrospectionHuge) {
		writeHuge(w)
	}
	if p.has(IntrospectionJWT) {
		key := p.ring().current
		w.Header().Set("Content-Type", "application/token-introspection+jwt")
		w.Write([]byte(key.sign(key.header("token-introspection+jwt"), mustJSON(map[string]any{
			"iss": p.Issuer(), "aud": c.ID, "iat": p.Now().Unix(), "token_introspection": answer,
		}))))
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// introspectionFault answers in place of the endpoint, if a fault says so.
func (p *Provider) introspectionFault(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case p.has(NoIntrospection):
		http.NotFound(w, r)
	case p.has(Introspection500):
		serverError(w)
	case p.has(IntrospectionHTML):
		writeHTML(w)
	case p.has(IntrospectionRedirect):
		redirectElsewhere(w)
	default:
		return false
	}
	return true
}

// introspect is what c may know of a token. About one that is not active nothing is said.
func (p *Provider) introspect(token string, c *registered) map[string]any {
	inactive := map[string]any{"active": false}
	mine := func(g *grant) bool { return c.AuthMethod != authNone || g.client == c.ID }
	if t := p.bearer(token); t != nil && mine(t.grant) {
		answer := maps.Clone(t.claims)
		answer["active"] = true
		answer["token_type"] = t.grant.tokenType()
		return answer
	}
	if g := p.refreshable(token); g != nil && mine(g) {
		return map[string]any{
			"active":     true,
			"token_type": "refresh_token", // as Glewlwyd says it; others leave it out
			"iss":        p.Issuer(),
			"sub":        g.session.subject,
			"client_id":  g.client,
			"scope":      strings.Join(g.scope, " "),
		}
	}
	return inactive
}

// refreshable returns the grant of a live refresh token; nil: there is none.
func (p *Provider) refreshable(token string) *grant {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.refresh[token]
	if t == nil || !t.used.IsZero() || t.grant.dead {
		return nil
	}
	return t.grant
}

func spoilIntrospection(f Fault, answer map[string]any, now time.Time) {
	switch f {
	case IntrospectionInactive:
		clear(answer)
		answer["active"] = false
	case IntrospectionActiveString:
		answer["active"] = "true"
	case IntrospectionNoActive:
		delete(answer, "active")
	case IntrospectionNoAud:
		delete(answer, "aud")
	case IntrospectionWrongAud:
		answer["aud"] = "https://" + elsewhere
	case IntrospectionWrongIss:
		answer["iss"] = otherIssuer
	case IntrospectionExpired:
		answer["exp"] = now.Add(-10 * time.Minute).Unix()
	case IntrospectionRefreshToken:
		answer["token_type"] = "refresh_token"
	}
}
