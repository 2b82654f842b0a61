package jwtverify

import (
	"slices"
	"strconv"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// claims are the registered claims of a token as they were read: an empty text, a
// nil list and a zero time mean that the claim is absent. The strings alias payload.
type claims struct {
	issuer, subject, authorizedParty string
	nonce, sessionID, acr            string
	accessTokenHash, codeHash        string
	stateHash                        string
	audience, amr                    []string
	expiry, issuedAt                 time.Time
	notBefore, authTime              time.Time
	names, sources, events           strictjson.Value
	kind, use                        string           // typ and token_use
	tenant                           strictjson.Value // tid, of which only checkIssuer knows more

	// Of access tokens: read as they are, and judged only there.
	scope, scp, confirmation            strictjson.Value
	clientID, cid, appID, grantedBy, id strictjson.Value
	emailVerified                       strictjson.Value

	payload string
}

// claimNames are compared without regard to case, to be refused where it is wrong:
// an application that decodes the claims with encoding/json would read "SUB" as sub.
var claimNames = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "auth_time", "acr", "amr", "sid",
	"at_hash", "c_hash", "s_hash", "events", "typ", "token_use", "_claim_names", "_claim_sources",
	"scope", "scp", "client_id", "cnf", "email_verified", "phone_number_verified",
}

// readClaims reads a payload in one pass. It checks the form of claims and nothing
// of what they say.
func readClaims(payload string) (c claims, err error) {
	err = strictjson.Object(payload, claimNames, c.set)
	if err != nil {
		return claims{}, unreadable("payload", err)
	}
	c.payload = payload
	return c, nil
}

func (c *claims) set(name string, v strictjson.Value) error {
	if vacant(name, v) {
		return nil
	}
	switch name {
	case "iss":
		return setText(&c.issuer, name, v)
	case "sub":
		return setText(&c.subject, name, v)
	case "aud":
		return setTexts(&c.audience, name, v)
	case "azp":
		return setText(&c.authorizedParty, name, v)
	case "nonce":
		return setText(&c.nonce, name, v)
	case "at_hash":
		return setText(&c.accessTokenHash, name, v)
	case "c_hash":
		return setText(&c.codeHash, name, v)
	case "s_hash":
		return setText(&c.stateHash, name, v)
	case "exp":
		return setTime(&c.expiry, name, v)
	case "iat":
		return setTime(&c.issuedAt, name, v)
	case "nbf":
		return setTime(&c.notBefore, name, v)
	case "auth_time":
		return setTime(&c.authTime, name, v)
	case "acr":
		return setText(&c.acr, name, v)
	case "amr":
		return setTexts(&c.amr, name, v)
	case "sid":
		return setText(&c.sessionID, name, v)
	case "events":
		c.events = v
	case "typ":
		return setText(&c.kind, name, v)
	case "token_use":
		return setText(&c.use, name, v)
	case "tid":
		c.tenant = v
	case "_claim_names":
		c.names = v
	case "_claim_sources":
		c.sources = v
	case "jti":
		c.id = v
	case "scope":
		c.scope = v
	case "scp":
		c.scp = v
	case "cnf":
		c.confirmation = v
	case "client_id":
		c.clientID = v
	case "cid":
		c.cid = v
	case "appid":
		c.appID = v
	case "email_verified":
		c.emailVerified = v
	case "azpacr", "appidacr", "gty": // how the client proved itself: Entra, Entra v1, Auth0
		c.grantedBy = v
	}
	return nil
}

// vacant tells whether a claim that no rule demands by itself says nothing. It is
// then as good as absent, and a demand for it (Expect.ACR, MaxAge) fails as if it were.
func vacant(name string, v strictjson.Value) bool {
	switch name {
	case "acr", "amr", "sid", "auth_time":
		return v.IsNull() || v.Raw() == `""`
	}
	return false
}

// setTexts reads a claim that is one string or an array of them (RFC 7519 4.1.3).
func setTexts(to *[]string, name string, v strictjson.Value) error {
	if s, ok := v.String(); ok {
		*to = []string{s}
		return nil
	}
	list, ok := v.Strings()
	if !ok {
		return invalidClaim(name, "is neither a string nor an array of strings")
	}
	*to = list
	return nil
}

// maxDate is the first second of the year 10000, which RFC 3339 cannot write.
const maxDate = 253402300800

// setTime reads a NumericDate (RFC 7519 2): seconds since 1970 as a number, perhaps
// with a fraction, which is dropped, or an exponent. A string of digits is none.
func setTime(to *time.Time, name string, v strictjson.Value) error {
	text, ok := v.Number()
	if !ok {
		return invalidClaim(name, "is not a number")
	}
	seconds, ok := wholeSeconds(text)
	if !ok {
		fraction, _ := strconv.ParseFloat(text, 64) // infinite where the number is too large
		if fraction < 0 || fraction >= maxDate {
			return &ClaimError{Claim: name, Reason: "is not a date between 1970 and 9999", Got: text, Err: ErrInvalid}
		}
		seconds = int64(fraction)
	}
	*to = time.Unix(seconds, 0)
	return nil
}

// wholeSeconds reads what nearly all dates are: digits, of a year before 5000.
func wholeSeconds(text string) (seconds int64, ok bool) {
	const digits = 11
	if len(text) > digits {
		return 0, false
	}
	for i := range len(text) {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, false
		}
		seconds = 10*seconds + int64(digit)
	}
	return seconds, true
}

// references checks that aggregated and distributed claims (Core 5.6.2) name sources
// that are there, so that nobody who reads them meets a dangling one. It fetches
// nothing and believes nothing of them.
func (c *claims) references() error {
	var sources map[string]bool
	if c.sources.Exists() {
		sources = map[string]bool{}
		err := strictjson.Object(c.sources.Raw(), nil, func(name string, v strictjson.Value) error {
			sources[name] = true
			return checkSource(v)
		})
		if err != nil {
			return unreadable("_claim_sources", err)
		}
	}
	if !c.names.Exists() {
		return nil
	}
	err := strictjson.Object(c.names.Raw(), nil, func(_ string, v strictjson.Value) error {
		var source string
		if err := setText(&source, "_claim_names", v); err != nil {
			return err
		}
		if !sources[source] {
			return invalidClaim("_claim_names", "names a source that is not there")
		}
		return nil
	})
	if err != nil {
		return unreadable("_claim_names", err)
	}
	return nil
}

// sourceNames are the members of a claim source, Core 5.6.2.
var sourceNames = []string{"endpoint", "access_token", "JWT"}

func checkSource(v strictjson.Value) error {
	return strictjson.Object(v.Raw(), sourceNames, func(name string, v strictjson.Value) error {
		if !slices.Contains(sourceNames, name) {
			return nil
		}
		var text string
		return setText(&text, "_claim_sources", v)
	})
}
