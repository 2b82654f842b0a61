package clienttest

import (
	"crypto/rand"
	"strings"
	"time"
)

const (
	otherIssuer = "https://" + elsewhere
	otherClient = "other-client"
	otherUser   = "mallory"
)

// newIDToken makes an ID token (OpenID Connect Core section 2), and spoils it with the active
// faults. An empty nonce is left out.
func (p *Provider) newIDToken(g *grant, subject, nonce string, with beside) string {
	if p.has(AccessTokenAsIDToken) {
		return with.accessToken
	}
	now, c := p.Now(), p.client(g.client)
	algorithm := orDefault(c.IDTokenSignedResponseAlg, p.algorithm)
	claims := p.claims(subject)
	claims["iss"] = p.Issuer()
	claims["sub"] = subject
	claims["aud"] = g.client
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(p.idTokenTTL).Unix()
	claims["auth_time"] = g.session.authTime.Unix()
	claims["acr"] = g.session.acr
	claims["amr"] = g.session.amr
	claims["sid"] = g.session.id
	with.hash(claims, algorithm)
	delete(claims, "nonce")
	if nonce != "" {
		claims["nonce"] = nonce
	}
	for _, f := range p.active() {
		spoilParties(f, claims)
		spoilTimes(f, claims, now)
		spoilHashes(f, claims, algorithm)
	}
	payload := p.spoilText(mustJSON(claims))
	token := p.signIDToken(c, payload)
	p.remember(token, g) // what comes back as id_token_hint is not encrypted
	return p.encryptIDToken(c, token, payload)
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
func (p *Provider) signIDToken(c *registered, payload []byte) string {
	ring := p.ring()
	key := ring.current
	header := key.header("JWT")
	switch {
	case p.has(AlgNone):
		header["alg"] = "none"
		return unsigned(header, payload)
	case p.has(HS256PublicKey):
		header["alg"] = "HS256"
		return authenticated(header, payload, key.publicPEM())
	case p.has(WrongHSSecret):
		return authenticated(macHeader(orDefault(c.IDTokenSignedResponseAlg, "HS256")), payload, random(64))
	case c.IDTokenSignedResponseAlg != "" && !p.has(KeyInsteadOfSecret):
		return authenticated(macHeader(c.IDTokenSignedResponseAlg), payload, []byte(c.Secret))
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
		return forge(key.sign(header, payload))
	}
	return key.sign(header, payload)
}

// macHeader is that of a JWS with the client's secret, which has no name.
func macHeader(algorithm string) map[string]any {
	return map[string]any{"alg": algorithm, "typ": "JWT"}
}
