package clienttest

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"time"
)

// How long a code can be redeemed. RFC 6749 section 4.1.2 allows ten minutes; real providers give
// one or less.
const codeTTL = time.Minute

// A grant is one permission: what a user let a client do when they signed in. It does not
// change but for its death, after which none of its tokens is good.
type grant struct {
	client, redirectURL string
	challenge, nonce    string
	scope               []string
	audience            string
	resources           []string // that the authorization request named (RFC 8707)
	jkt                 string   // dpop_jkt, the thumbprint of the key that the tokens are bound to; empty: none
	session             session
	machine             bool // there is no user: the client itself
	dead                bool // guarded by Provider.mu
}

type code struct {
	grant   *grant
	expires time.Time
	used    bool
}

type refreshToken struct {
	grant *grant
	used  time.Time // zero: not yet
}

type accessToken struct {
	grant   *grant
	claims  map[string]any
	expires time.Time
	revoked bool
}

// newCode makes a code for a grant.
func (p *Provider) newCode(g *grant) string {
	value, expires := rand.Text(), p.Now().Add(codeTTL)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[value] = &code{grant: g, expires: expires}
	return value
}

// redeem uses a code up. A code that comes twice has been stolen, by the first or by the second
// who sent it, so its grant dies (RFC 6749 section 4.1.2).
func (p *Provider) redeem(value, client string) (*grant, *endpointError) {
	now := p.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.codes[value]
	switch {
	case c == nil:
		return nil, invalidGrant("unknown code")
	case c.grant.client != client:
		return nil, invalidGrant("the code is another client's")
	case c.used:
		c.grant.dead = true
		return nil, invalidGrant("the code was used before")
	case c.grant.dead:
		return nil, invalidGrant("the grant was revoked")
	case !now.Before(c.expires):
		return nil, invalidGrant("the code has expired")
	}
	c.used = true
	return c.grant, nil
}

// renew uses a refresh token up, if they rotate. One that comes twice has been stolen, so its grant dies
// (RFC 9700 section 4.14.2); but an answer may be lost, so a provider can have a leeway.
func (p *Provider) renew(value, client string, rotate bool) (*grant, *endpointError) {
	now := p.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.refresh[value]
	switch {
	case t == nil:
		return nil, invalidGrant("unknown refresh token")
	case t.grant.client != client:
		return nil, invalidGrant("the refresh token is another client's")
	case !t.used.IsZero() && now.Sub(t.used) >= p.refreshLeeway:
		t.grant.dead = true
		return nil, invalidGrant("the refresh token was used before")
	case t.grant.dead:
		return nil, invalidGrant("the grant was revoked")
	}
	if rotate && t.used.IsZero() {
		t.used = now
	}
	return t.grant, nil
}

// refreshGrant finds the grant of a refresh token; nil: there is none.
func (p *Provider) refreshGrant(value string) *grant {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.refresh[value]; t != nil {
		return t.grant
	}
	return nil
}

func (p *Provider) newRefreshToken(g *grant) string {
	value := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refresh[value] = &refreshToken{grant: g}
	return value
}

// bearer finds a live access token.
func (p *Provider) bearer(value string) *accessToken {
	now := p.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.access[value]
	if t == nil || t.revoked || t.grant.dead || t.over(now) {
		return nil
	}
	return t
}

// revoke ends a token: with a refresh token its whole grant, with an access token that one
// (RFC 7009 section 2.1). A token that is not known is none any more, which is what was asked for.
func (p *Provider) revoke(value, client string) *endpointError {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.refresh[value]; t != nil {
		if t.grant.client != client {
			return invalidGrant("the token is another client's")
		}
		t.grant.dead = true
	}
	if t := p.access[value]; t != nil {
		if t.grant.client != client {
			return invalidGrant("the token is another client's")
		}
		t.revoked = true
	}
	return nil
}

// RevokeGrants ends every grant of a user, as an administrator would: their codes, access
// tokens and refresh tokens are no good any more. A session at the provider goes on.
func (p *Provider) RevokeGrants(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kill := func(g *grant) { g.dead = g.dead || g.session.subject == subject }
	for _, c := range p.codes {
		kill(c.grant)
	}
	for _, t := range p.refresh {
		kill(t.grant)
	}
	for _, t := range p.access {
		kill(t.grant)
	}
}

// remember keeps an ID token for the day it comes back as id_token_hint.
func (p *Provider) remember(idToken string, g *grant) {
	sum := sha256.Sum256([]byte(idToken))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idTokens[sum] = g
}

// hinted finds the grant of an ID token that was issued here, expired or not
// (RP-Initiated Logout section 2).
func (p *Provider) hinted(idToken string) *grant {
	sum := sha256.Sum256([]byte(idToken))
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.idTokens[sum]
}

func (g *grant) has(scope string) bool { return slices.Contains(g.scope, scope) }
