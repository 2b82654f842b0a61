package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// A tokenAnswer is what the token endpoint gave (RFC 6749 5.1, Core 3.1.3.3). No
// claim of it has been verified.
type tokenAnswer struct {
	accessToken  string
	tokenType    string
	refreshToken string          // empty: none
	idToken      string          // empty: none
	expiresIn    time.Duration   // 0: the provider did not say
	scope        []string        // nil: the provider did not say
	details      json.RawMessage // authorization_details (RFC 9396 7); nil: the provider did not say
	failed       bool            // there is an error member
	secrets      []string        // of the request and the answer, to be kept out of errors

	grant           string // that was asked for
	issuedTokenType string // of a token exchange (RFC 8693 2.2.1)
}

// maxLifetime is the longest life of an access token that is believed; a longer one
// is taken for this.
const maxLifetime = 10 * 365 * 24 * time.Hour

// token is the one road of every grant: one POST of form with the client's
// authentication, and one reading of the answer. It never sends anything twice.
func (c *Client) token(ctx context.Context, s *snapshot, form url.Values) (*tokenAnswer, error) {
	a, err := c.askJSON(ctx, s, endpoint{name: "token", url: s.metadata.TokenEndpoint, bound: true}, form)
	if err != nil {
		return nil, err
	}
	t, err := parseTokenAnswer(a.body)
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	if t.failed { // with status 200: GitHub
		return nil, s.oauthError(a)
	}
	t.grant, t.secrets = form.Get("grant_type"), append(a.secrets, t.accessToken, t.refreshToken)
	if err := t.check(c.cfg.tokenType()); err != nil {
		return nil, a.refuse(err.Error())
	}
	if c.oauth != nil {
		if err := t.withoutOpenID(); err != nil {
			return nil, a.refuse(err.Error())
		}
	}
	return t, nil
}

// registeredToken are the members of RFC 6749 5.1 and 5.2, Core 3.1.3.3, RFC 8693 2.2.1
// and RFC 9396 7.
var registeredToken = []string{
	"access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token", "issued_token_type", "authorization_details",
	"error", "error_description", "error_uri",
}

var errMembers = errors.New("not one JSON object with every member once and by its exact name")

// members is strictjson.Object with errors that quote nothing of body: the name of a
// member may be a secret that the provider repeats.
func members(body string, registered []string, member func(name string, v strictjson.Value) error) error {
	var own error
	err := strictjson.Object(body, registered, func(name string, v strictjson.Value) error {
		own = member(name, v)
		return own
	})
	if err != nil && own == nil {
		return errMembers
	}
	return own
}

// parseTokenAnswer reads the members by their exact names. null means the same as
// no member. Its errors quote nothing of body, and its result keeps nothing of it
// alive.
func parseTokenAnswer(body string) (*tokenAnswer, error) {
	t := &tokenAnswer{}
	texts := map[string]*string{
		"access_token":      &t.accessToken,
		"token_type":        &t.tokenType,
		"refresh_token":     &t.refreshToken,
		"id_token":          &t.idToken,
		"issued_token_type": &t.issuedTokenType,
	}
	err := members(body, registeredToken, func(name string, v strictjson.Value) error {
		ok := true
		switch text := texts[name]; {
		case v.IsNull():
		case text != nil:
			*text, ok = v.String()
			*text = strings.Clone(*text)
		case name == "expires_in":
			t.expiresIn, ok = lifetime(v)
		case name == "scope":
			t.scope, ok = scopeList(v)
		case name == "authorization_details":
			t.details, ok = grantedDetails(v)
		case name == "error":
			t.failed = true
		}
		if !ok {
			return fmt.Errorf("%s has the wrong type", name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// check applies RFC 6749 5.1 to an answer that is not an error, and spells its type as
// tokenType, which it must be.
func (t *tokenAnswer) check(tokenType string) error {
	if t.accessToken == "" {
		return errors.New("access_token is missing")
	}
	if !isVSChar(t.accessToken) { // appendix A.12: it goes into a header
		return errors.New("access_token has characters that none has")
	}
	if t.tokenType == "" {
		return errors.New("token_type is missing")
	}
	if t.isNoAccessToken() {
		return nil
	}
	if strings.EqualFold(t.tokenType, tokenType) {
		t.tokenType = tokenType
		return nil
	}
	if tokenType == typeDPoP { // RFC 9449 5: one that is not bound is not what was asked for
		return errors.New("token_type is not DPoP: the provider has not bound the access token to the key of Config.DPoP")
	}
	return errors.New("token_type is not Bearer") // 7.1: a type that is not understood must not be used
}

// tokens are what the answer says, counted from when the request was sent.
func (t *tokenAnswer) tokens(sent time.Time) *Tokens {
	tokens := &Tokens{
		AccessToken:          t.accessToken,
		TokenType:            t.tokenType,
		RefreshToken:         t.refreshToken,
		Scope:                t.scope,
		AuthorizationDetails: t.details,
		received:             sent.Truncate(time.Second),
	}
	if t.expiresIn > 0 {
		tokens.Expiry = tokens.received.Add(t.expiresIn)
	}
	return tokens
}

// lifetime reads expires_in, which is a number. Azure AD v1 sends it as a string,
// and there are providers that send 0 or a negative one for a token that does not
// expire.
func lifetime(v strictjson.Value) (time.Duration, bool) {
	if s, ok := v.String(); ok {
		v, _ = strictjson.Parse(s)
	}
	n, ok := v.Number()
	if !ok {
		return 0, false
	}
	seconds, _ := strconv.ParseFloat(n, 64) // too large is infinite
	seconds = min(math.Floor(seconds), maxLifetime.Seconds())
	return time.Duration(max(seconds, 0)) * time.Second, true
}

// scopeList reads scope, which is words in a string. Twitch sends an array.
func scopeList(v strictjson.Value) ([]string, bool) {
	if s, ok := v.String(); ok {
		return splitScopes(strings.Clone(s)), true
	}
	list, ok := v.Strings()
	return splitScopes(strings.Clone(strings.Join(list, " "))), ok
}

// splitScopes parts scopes at spaces, and at none of the other characters that Unicode
// calls so (RFC 6749 3.3): what a provider takes for one scope never becomes two.
func splitScopes(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
}

// oauthError makes the error of an answer that is one by its status or its error
// member (RFC 6749 5.2).
func (s *snapshot) oauthError(a *answer) *ResponseError {
	e := a.oauthError()
	if standardError(e.Code) == "invalid_client" {
		methods, _ := s.metadata.authAt(a.endpoint.name)
		e.Hint = authHint(s.authAt(a.endpoint.name), methods)
	}
	return e
}

// oauthError is that of a snapshot, where no client authenticated.
func (a *answer) oauthError() *ResponseError {
	code, description, uri := a.errorTexts()
	e := &ResponseError{
		Endpoint:    a.endpoint.name,
		Status:      a.status,
		Code:        clean(code, quoted, a.secrets),
		Description: clean(description, maxDescription, a.secrets),
		URI:         clean(uri, maxDescription, a.secrets),
	}
	if e.Code == "" {
		e.reason = "no error code" // an HTML page, a redirect, a proxy in between
	}
	e.Err = classify(a.status, e.Code)
	return e
}

// errorTexts are the members of an error (RFC 6749 5.2) as they came. They are empty where
// the body is not one JSON object.
func (a *answer) errorTexts() (code, description, uri string) {
	texts := map[string]*string{"error": &code, "error_description": &description, "error_uri": &uri}
	err := strictjson.Object(a.body, registeredToken, func(name string, v strictjson.Value) error {
		if text := texts[name]; text != nil {
			*text, _ = v.String()
		}
		return nil
	})
	if err != nil {
		return "", "", ""
	}
	return code, description, uri
}
