package clienttest

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Response modes. Each has a form with modeSigned behind it (JARM section 2.3).
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
	modeSigned   = ".jwt"
)

// signedTTL is how long a signed answer is good (JARM section 2.1).
const signedTTL = time.Minute

func responseModes() []string {
	return []string{
		modeQuery, modeFragment, modeFormPost, "jwt",
		modeQuery + modeSigned, modeFragment + modeSigned, modeFormPost + modeSigned,
	}
}

func (a *authorization) asksFor(word string) bool { return slices.Contains(a.types, word) }

// knowsTypes says whether the response type is code, id_token or code id_token; the order
// of its words has no meaning.
func (a *authorization) knowsTypes() bool {
	switch len(a.types) {
	case 1:
		return a.asksFor("code") || a.asksFor("id_token")
	case 2:
		return a.asksFor("code") && a.asksFor("id_token")
	}
	return false
}

// chooseMode takes the mode that was asked for, or that of the response type: a fragment,
// where tokens come back (OAuth 2.0 Multiple Response Types section 5).
func (a *authorization) chooseMode(asked string) *endpointError {
	usual := modeQuery
	if a.asksFor("id_token") {
		usual = modeFragment
	}
	a.mode = orDefault(asked, usual)
	if asked == "jwt" { // JARM section 2.3.4
		a.mode = usual + modeSigned
	}
	if !slices.Contains(responseModes(), a.mode) {
		a.mode = modeQuery
		return invalidRequest("unknown response_mode")
	}
	if a.delivery() == modeQuery && usual == modeFragment {
		a.mode = modeFragment
		return invalidRequest("this response_mode puts tokens into the query")
	}
	return nil
}

// delivery is the mode without its signature.
func (a *authorization) delivery() string { return strings.TrimSuffix(a.mode, modeSigned) }

// signedAs puts an answer into a JWT, where the mode says so (JARM section 2.1).
func (p *Provider) signedAs(a *authorization, values url.Values) url.Values {
	if !strings.HasSuffix(a.mode, modeSigned) {
		return values
	}
	claims := map[string]any{"iss": p.Issuer(), "aud": a.client.ID, "exp": p.Now().Add(signedTTL).Unix()}
	for name := range values {
		claims[name] = values.Get(name)
	}
	key := p.ring().current
	return url.Values{"response": {key.sign(key.header("JWT"), mustJSON(claims))}}
}

// location is the redirect URL with an answer.
func (a *authorization) location(values url.Values) string {
	if a.delivery() == modeFragment {
		return a.redirectURL + "#" + values.Encode()
	}
	return withQuery(a.redirectURL, values)
}

// beside is what an ID token comes beside, and vouches for.
type beside struct{ accessToken, code string }

// hash adds at_hash (OpenID Connect Core 3.1.3.6) and c_hash (3.3.2.11).
func (b beside) hash(claims map[string]any, algorithm string) {
	if b.accessToken != "" {
		claims["at_hash"] = halfHash(algorithm, b.accessToken)
	}
	if b.code != "" {
		claims["c_hash"] = halfHash(algorithm, b.code)
	}
}
