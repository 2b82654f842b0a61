package clienttest

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// proofWindow is how far the time of a proof may be from the provider's.
const proofWindow = time.Minute

// proofAlgorithms may sign a proof.
func proofAlgorithms() []jose.SignatureAlgorithm {
	var all []jose.SignatureAlgorithm
	for _, alg := range algorithms() {
		all = append(all, jose.SignatureAlgorithm(alg))
	}
	return all
}

// newNonce is what DPoP proofs must carry, if they must carry anything.
func newNonce(wanted bool) string {
	if !wanted {
		return ""
	}
	return rand.Text()
}

// giveNonce tells the client the nonce (RFC 9449 section 8).
func (p *Provider) giveNonce(w http.ResponseWriter) {
	if p.dpopNonce != "" {
		w.Header().Set("DPoP-Nonce", p.dpopNonce)
	}
}

// proof checks the DPoP proof of r (RFC 9449 section 4.3), and gives the thumbprint of its key;
// empty: there is none. With an access token it must be for that.
func (p *Provider) proof(r *http.Request, accessToken string) (jkt string, refused *endpointError) {
	switch len(r.Header.Values("DPoP")) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", invalidProof("more than one proof")
	}
	signed, err := jose.ParseSignedCompact(r.Header.Get("DPoP"), proofAlgorithms())
	if err != nil {
		return "", invalidProof("the proof is no signed JWT")
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders["typ"] != "dpop+jwt" || header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		return "", invalidProof("the header of the proof is not that of one")
	}
	payload, err := signed.Verify(header.JSONWebKey)
	if err != nil {
		return "", invalidProof("the signature of the proof is wrong")
	}
	if refused := p.proofClaims(payload, r, accessToken); refused != nil {
		return "", refused
	}
	thumbprint, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", invalidProof("the key of the proof has no thumbprint")
	}
	return encode(thumbprint), nil
}

func (p *Provider) proofClaims(payload []byte, r *http.Request, accessToken string) *endpointError {
	var claims struct {
		ID        string `json:"jti"`
		Method    string `json:"htm"`
		URL       string `json:"htu"`
		IssuedAt  int64  `json:"iat"`
		TokenHash string `json:"ath"`
		Nonce     string `json:"nonce"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return invalidProof("the claims of the proof cannot be read")
	}
	tokenHash := ""
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		tokenHash = encode(sum[:])
	}
	switch age := p.Now().Sub(time.Unix(claims.IssuedAt, 0)); {
	case claims.Method != r.Method || claims.URL != p.origin()+r.URL.EscapedPath():
		return invalidProof("the proof is for another request")
	case age > proofWindow || age < -proofWindow:
		return invalidProof("the proof is of another time")
	case claims.TokenHash != tokenHash:
		return invalidProof("the proof is for another access token")
	case p.dpopNonce != "" && claims.Nonce != p.dpopNonce:
		return &endpointError{http.StatusBadRequest, "use_dpop_nonce", "the proof needs the nonce"}
	case claims.ID == "" || !p.firstProof(claims.ID):
		return invalidProof("the proof was used before")
	}
	return nil
}

// origin is scheme and host of the issuer.
func (p *Provider) origin() string { return origin(p.Issuer()) }

// firstProof remembers the jti of a proof.
func (p *Provider) firstProof(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proofs[id] {
		return false
	}
	p.proofs[id] = true
	return true
}

func invalidProof(why string) *endpointError {
	return &endpointError{http.StatusBadRequest, "invalid_dpop_proof", why}
}

// checkKey refuses a client whose proof is not by the key that the grant is bound to, which
// the authorization request named (RFC 9449 section 10).
func (g *grant) checkKey(proved string) *endpointError {
	if g.jkt != "" && g.jkt != proved {
		return invalidGrant("it is bound to another DPoP key")
	}
	return nil
}

// tokenType is that of the grant's access tokens.
func (g *grant) tokenType() string {
	if g.jkt != "" {
		return "DPoP"
	}
	return "Bearer"
}

// present finds the access token of a request to an API of the provider's own (RFC 6750
// section 2.1, RFC 9449 section 7.1).
func (p *Provider) present(r *http.Request) (*accessToken, *endpointError) {
	unauthorized := &endpointError{http.StatusUnauthorized, "invalid_token", "no live access token of its scheme"}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token := p.bearer(value)
	if token == nil || !strings.EqualFold(scheme, token.grant.tokenType()) {
		return nil, unauthorized
	}
	if token.grant.jkt == "" {
		return token, nil
	}
	proved, refused := p.proof(r, value)
	if refused == nil && proved != token.grant.jkt {
		refused = invalidProof("the access token is bound to another key")
	}
	if refused != nil {
		refused.status = http.StatusUnauthorized
		return nil, refused
	}
	return token, nil
}
