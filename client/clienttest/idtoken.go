package clienttest

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

const (
	otherIssuer = "https://" + elsewhere
	otherClient = "other-client"
	otherUser   = "mallory"
)

// newAccessToken makes a JWT access token (RFC 9068 section 2.2). Its audience is what the
// parameter "audience" of the authorization request named, otherwise the provider itself.
func (p *Provider) newAccessToken(g *grant, subject string, scope []string) string {
	now := p.Now()
	claims := map[string]any{
		"iss":       p.Issuer(),
		"sub":       subject,
		"aud":       orDefault(g.audience, p.Issuer()),
		"client_id": g.client,
		"scope":     strings.Join(scope, " "),
		"iat":       now.Unix(),
		"exp":       now.Add(p.accessTokenTTL).Unix(),
		"jti":       rand.Text(),
		"auth_time": g.session.authTime.Unix(),
		"acr":       g.session.acr,
	}
	key := p.ring().current
	token := key.sign(key.header("at+jwt"), mustJSON(claims))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.access[token] = &accessToken{grant: g, scope: slices.Clone(scope), expires: now.Add(p.accessTokenTTL)}
	return token
}

// newIDToken makes an ID token (OpenID Connect Core section 2), and spoils it with the active
// faults. An empty nonce is left out.
func (p *Provider) newIDToken(g *grant, subject, nonce, accessToken string) string {
	if p.has(AccessTokenAsIDToken) {
		return accessToken
	}
	now := p.Now()
	claims := p.claims(subject)
	claims["iss"] = p.Issuer()
	claims["sub"] = subject
	claims["aud"] = g.client
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(p.idTokenTTL).Unix()
	claims["auth_time"] = g.session.authTime.Unix()
	claims["acr"] = g.session.acr
	claims["amr"] = []string{"pwd"}
	claims["sid"] = g.session.id
	claims["at_hash"] = halfHash(p.algorithm, accessToken)
	delete(claims, "nonce")
	if nonce != "" {
		claims["nonce"] = nonce
	}
	for _, f := range p.active() {
		spoilParties(f, claims)
		spoilTimes(f, claims, now)
		spoilHashes(f, claims, p.algorithm)
	}
	token := p.signIDToken(p.spoilText(mustJSON(claims)))
	p.remember(token, g)
	return token
}

// spoilParties changes who a token is from, of and for.
func spoilParties(f Fault, claims map[string]any) {
	switch f {
	case WrongIssuer:
		claims["iss"] = otherIssuer
	case MissingIssuer:
		delete(claims, "iss")
	case WrongAudience:
		claims["aud"] = otherClient
	case MissingAudience:
		delete(claims, "aud")
	case ExtraAudience:
		claims["azp"] = claims["aud"]
		claims["aud"] = []any{claims["aud"], otherClient}
	case WrongAZP:
		claims["azp"] = otherClient
	case MissingSub:
		delete(claims, "sub")
	case EmptySub:
		claims["sub"] = ""
	}
}

func spoilTimes(f Fault, claims map[string]any, now time.Time) {
	switch f {
	case ExpiredIDToken:
		claims["exp"] = now.Add(-10 * time.Minute).Unix()
	case MissingExp:
		delete(claims, "exp")
	case OldIat:
		claims["iat"] = now.Add(-48 * time.Hour).Unix()
	case FutureIat:
		claims["iat"] = now.Add(time.Hour).Unix()
	case MissingIat:
		delete(claims, "iat")
	case OldAuthTime:
		claims["auth_time"] = now.Add(-24 * time.Hour).Unix()
	case MissingAuthTime:
		delete(claims, "auth_time")
	}
}

func spoilHashes(f Fault, claims map[string]any, algorithm string) {
	switch f {
	case WrongNonce:
		claims["nonce"] = rand.Text()
	case MissingNonce:
		delete(claims, "nonce")
	case WrongACR:
		claims["acr"] = "unasked"
	case MissingACR:
		delete(claims, "acr")
	case WrongAtHash:
		claims["at_hash"] = halfHash(algorithm, rand.Text())
	}
}

// spoilText does what no encoder does: two members of one name, or of almost one name.
func (p *Provider) spoilText(payload []byte) []byte {
	open := strings.TrimSuffix(string(payload), "}")
	if p.has(DoubleSub) {
		open += `,"sub":"` + otherUser + `"`
	}
	if p.has(FoldedSub) {
		open += `,"SUB":"` + otherUser + `"`
	}
	return []byte(open + "}")
}

// signIDToken signs in the way that the active faults want.
func (p *Provider) signIDToken(payload []byte) string {
	ring := p.ring()
	key := ring.current
	header := key.header("JWT")
	switch {
	case p.has(AlgNone):
		header["alg"] = "none"
		return signingInput(header, payload) + "."
	case p.has(HS256PublicKey):
		return key.signHS256(header, payload)
	case p.has(StaleKey):
		key = ring.retired()
		header["kid"] = key.id
	case p.has(UnknownKid):
		header["kid"] = newKid()
	case p.has(MissingKid):
		delete(header, "kid")
	case p.has(EmbeddedKey):
		key = ring.retired()
		header["jwk"] = key.jwk()
	case p.has(BadSignature):
		input := signingInput(header, payload)
		signature := key.signature(input)
		signature[0] ^= 1
		return input + "." + encode(signature)
	}
	return key.sign(header, payload)
}
