package client

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"
	"time"
)

// maxLoginAge is how long a Login may be used for: longer than any user takes, and
// short enough that a stolen one soon is worth nothing. Package session sets its
// own, shorter bound.
const maxLoginAge = time.Hour

// single are the parameters that a callback may have once: those of RFC 6749 4.1.2
// and 4.2.2, Core 3.3.2.5, RFC 9207 and JARM. All others are ignored, as RFC 6749
// 4.1.2 says.
var single = [...]string{
	"access_token", "code", "error", "error_description", "error_uri", "expires_in",
	"id_token", "iss", "response", "state", "token_type",
}

// unasked are those that response_type=code does not ask for.
var unasked = [...]string{"access_token", "id_token", "response"}

// checkCallback is everything that a callback must pass before its code is sent
// anywhere, in this order: the Login is this client's and young enough; no
// parameter is there twice; state; iss; what was not asked for; error; code.
// Nothing else is believed before state and iss are right.
func (c *Client) checkCallback(ctx context.Context, login *Login, params url.Values) (code string, err error) {
	if err := c.checkLogin(login); err != nil {
		return "", err
	}
	for _, name := range single { // RFC 6749 3.1
		if len(params[name]) > 1 {
			return "", reject(name, "is there more than once")
		}
	}
	if err := checkState(login, params); err != nil {
		return "", err
	}
	if err := c.checkIss(ctx, params); err != nil {
		return "", err
	}
	for _, name := range unasked {
		if params.Has(name) {
			return "", reject(name, "was not asked for")
		}
	}
	if err := checkError(login, params); err != nil {
		return "", err
	}
	if code = params.Get("code"); code == "" {
		return "", reject("code", "is missing")
	}
	return code, nil
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

// checkIss applies RFC 9207 2.4: iss is compared wherever it is, and must be there
// where the metadata promises it.
func (c *Client) checkIss(ctx context.Context, params url.Values) error {
	if params.Has("iss") {
		if params.Get("iss") != c.cfg.Issuer {
			return reject("iss", "is not the issuer")
		}
		return nil
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
	if params.Has("code") {
		return reject("error", "came together with a code")
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
