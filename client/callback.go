package client

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// maxLoginAge is how long a Login may be used for: longer than any user takes, and
// short enough that a stolen one soon is worth nothing. Package session sets its
// own, shorter bound.
const maxLoginAge = time.Hour

// single are the parameters that a callback may have once: those of RFC 6749 4.1.2
// and 4.2.2, Core 3.3.2.5, RFC 9207, JARM and Session Management 2. All others are ignored,
// as RFC 6749 4.1.2 says.
var single = [...]string{
	"access_token", "code", "error", "error_description", "error_uri", "expires_in",
	"id_token", "iss", "response", "scope", "session_state", "state", "token_type",
}

// An arrival is what a callback brought, where every check that needs no token has
// passed.
type arrival struct {
	code, idToken, accessToken string // empty: not asked for
	expiresIn, scope           string // of accessToken; empty: not said
	issuer                     string // iss; empty: not said
	sessionState               string // empty: not said, or not as it must be
}

// maxSessionState bounds session_state in bytes. It is a hash and a salt, of some 110, where
// it is made as Session Management 3.2 has it.
const maxSessionState = 512

// checkCallback is everything that a callback must pass before anything of it is used or
// sent anywhere, in this order: the Login is this client's and young enough; no
// parameter is there twice; the signature, where the answer is signed; state; iss; what
// was not asked for; error; what was. Nothing else is believed before these are right.
func (c *Client) checkCallback(ctx context.Context, login *Login, params url.Values) (*arrival, error) {
	if err := c.checkLogin(login); err != nil {
		return nil, err
	}
	if err := checkSingle(params); err != nil {
		return nil, err
	}
	if login.signed() {
		var err error
		if params, err = c.openResponse(ctx, params); err != nil {
			return nil, err
		}
	}
	if err := checkState(login, params); err != nil {
		return nil, err
	}
	if err := c.checkIss(ctx, login, params); err != nil {
		return nil, err
	}
	if err := checkUnasked(login, params); err != nil {
		return nil, err
	}
	if err := checkError(login, params); err != nil {
		return nil, err
	}
	return readArrival(login, params)
}

// checkSingle applies RFC 6749 3.1.
func checkSingle(params url.Values) error {
	for _, name := range single {
		if len(params[name]) > 1 {
			return reject(name, "is there more than once")
		}
	}
	return nil
}

// checkUnasked refuses what the response type does not ask for: to expect none is not
// the same as not to care. A signed answer was taken apart already.
func checkUnasked(login *Login, params url.Values) error {
	for _, w := range responseWords {
		if !login.want.has(w.asks) && params.Has(w.param) {
			return reject(w.param, "was not asked for")
		}
	}
	if params.Has("response") {
		return reject("response", "was not asked for")
	}
	return nil
}

// readArrival takes what was asked for, all of which must be there.
func readArrival(login *Login, params url.Values) (*arrival, error) {
	for _, w := range responseWords {
		if login.want.has(w.asks) && params.Get(w.param) == "" {
			return nil, reject(w.param, "is missing")
		}
	}
	a := &arrival{
		code:        params.Get("code"),
		idToken:     params.Get("id_token"),
		accessToken: params.Get("access_token"),
		expiresIn:   params.Get("expires_in"),
		scope:       params.Get("scope"),
		issuer:      params.Get("iss"),
	}
	if s := params.Get("session_state"); len(s) <= maxSessionState && isVisible(s) { // it decides nothing here
		a.sessionState = s
	}
	if login.want.has(asksToken) && !isVSChar(a.accessToken) { // RFC 6749 appendix A.12
		return nil, reject("access_token", "has characters that none has")
	}
	if login.want.has(asksToken) && !strings.EqualFold(params.Get("token_type"), "Bearer") { // Core 3.2.2.5
		return nil, reject("token_type", "is not Bearer")
	}
	return a, nil
}

func reject(param, reason string) *CallbackError { return &CallbackError{Param: param, Reason: reason} }

// checkLogin keeps the attempt of one provider or client from being finished at
// another (RFC 9700 4.4).
func (c *Client) checkLogin(login *Login) error {
	if login == nil || login.state == "" {
		return reject("login", "is empty")
	}
	if login.issuer != c.cfg.Issuer {
		return reject("login", "is of another issuer")
	}
	if login.clientID != c.cfg.ClientID {
		return reject("login", "is of another client")
	}
	if (login.nonce == "") != (c.oauth != nil) {
		return reject("login", "is of the other kind of client: one is of New, and one of NewOAuth")
	}
	if err := c.cfg.Profile.checkAnswer(login.want, login.mode); err != nil {
		return reject("login", "is of another profile: "+err.Error())
	}
	age := c.Now().Sub(login.created)
	if age > maxLoginAge {
		return reject("login", fmt.Sprintf("is older than %v", maxLoginAge))
	}
	if age < -c.leeway() {
		return reject("login", "is from the future")
	}
	return nil
}

// checkState applies RFC 6749 10.12.
func checkState(login *Login, params url.Values) error {
	state := params.Get("state")
	if state == "" {
		return reject("state", "is missing")
	}
	if subtle.ConstantTimeCompare([]byte(state), []byte(login.state)) != 1 {
		return reject("state", "is not the one of the login")
	}
	return nil
}

// checkIss applies RFC 9207 2.4: iss is compared wherever it is, and must be there where
// the metadata promises it and no signature says who answers: that of an ID token, which
// is verified next, or of the whole answer, which has its own iss (JARM 2.1).
func (c *Client) checkIss(ctx context.Context, login *Login, params url.Values) error {
	if params.Has("iss") {
		if !c.cfg.isIssuer(params.Get("iss")) {
			return reject("iss", "is not the issuer")
		}
		return nil
	}
	if login.want.has(asksIDToken) && params.Get("id_token") != "" {
		return nil
	}
	if c.cfg.Profile.in(inFAPI2) { // 5.3.3.2-5
		return reject("iss", "is missing, and Config.Profile demands it")
	}
	s, err := c.provider(ctx)
	if err != nil {
		return err
	}
	if s.metadata.AuthorizationResponseIssParameterSupported {
		return reject("iss", "is missing, and the provider promises it")
	}
	return nil
}

// checkError turns an error response into an *AuthError (RFC 6749 4.1.2.1).
func checkError(login *Login, params url.Values) error {
	if !params.Has("error") {
		return nil
	}
	for _, w := range responseWords {
		if params.Has(w.param) {
			return reject("error", "came together with a "+w.param)
		}
	}
	if params.Get("error") == "" {
		return reject("error", "is empty")
	}
	secrets := []string{login.state, login.nonce, string(login.verifier)}
	return &AuthError{
		Code:        clean(params.Get("error"), quoted, secrets),
		Description: clean(params.Get("error_description"), maxDescription, secrets),
		URI:         clean(params.Get("error_uri"), maxDescription, secrets),
	}
}
