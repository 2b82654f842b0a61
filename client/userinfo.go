package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/postern-go/postern/internal/strictjson"
	"github.com/postern-go/postern/jwtverify"
)

// A UserInfo is the answer of the userinfo endpoint (OpenID Connect Core 5.3). It prints as
// [redacted].
type UserInfo struct {
	Subject string // sub, the one of the ID token

	claims string
}

// Claims decodes all claims into v, as encoding/json does. No two of them have names
// that differ only in case.
func (u *UserInfo) Claims(v any) error {
	if err := json.Unmarshal([]byte(u.claims), v); err != nil {
		return fmt.Errorf("client: userinfo: %w", err)
	}
	return nil
}

// Claim returns the JSON value of a claim; see [jwtverify.IDToken.Claim].
func (u *UserInfo) Claim(path ...string) (value json.RawMessage, ok bool) {
	v, ok := strictjson.At(u.claims, path)
	if !ok {
		return nil, false
	}
	return json.RawMessage(v.Raw()), true
}

// Texts returns the strings of a claim; see [jwtverify.IDToken.Texts].
func (u *UserInfo) Texts(path ...string) (list []string, ok bool) {
	v, _ := strictjson.At(u.claims, path)
	return v.Texts()
}

// Sources returns the sources that the answer names for claims it does not have itself, in
// the order in which it names them. Nil: none, or none that can be read.
func (u *UserInfo) Sources() []jwtverify.ClaimSource {
	list, err := jwtverify.ParseSources([]byte(u.claims))
	if err != nil {
		return nil
	}
	return list
}

// Format keeps what is said of a user out of every kind of printing.
func (u UserInfo) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue keeps what is said of a user out of logs.
func (u UserInfo) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps what is said of a user out of JSON; Claims gives it out.
func (u UserInfo) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// UserInfo asks the userinfo endpoint with the access token of t, as Config.UserInfoByForm
// says. The answer must be of the user of t.IDToken (Core 5.3.2), which is required. It
// is JSON, and its claims are as good as the connection; or with
// Config.UserInfoSignedResponseAlg a JWT, which [jwtverify.Verifier.UserInfo] checks.
//
// The error wraps ErrUnsupported where the provider has no such endpoint, the client is one
// of NewOAuth, or the answer is a JWT that nobody registered for, and is a [*ResponseError] for an answer that was not
// accepted: Status 401 means that the access token is not good any more.
func (c *Client) UserInfo(ctx context.Context, t *Tokens) (*UserInfo, error) {
	if err := c.onlyOpenID("userinfo"); err != nil {
		return nil, err
	}
	if err := c.checkOwn(t); err != nil {
		return nil, err
	}
	if t.IDToken == nil {
		return nil, fmt.Errorf("client: %w: userinfo needs the ID token, to compare the user with", ErrRejected)
	}
	if t.AccessToken == "" { // of a response type without one
		return nil, fmt.Errorf("client: %w: userinfo needs an access token", ErrRejected)
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	to := endpoint{name: "userinfo", url: s.metadata.UserInfoEndpoint, bound: t.TokenType == typeDPoP}
	if to.url == "" {
		return nil, unsupported("userinfo_endpoint")
	}
	if !to.bound {
		to = s.at(to) // a token that is bound to the certificate
	}
	if s.userinfo != nil {
		to.accept = "application/jwt"
	}
	a, err := c.askUser(ctx, to, t)
	if err == nil && c.wantsNonce(a) {
		a, err = c.askUser(ctx, to, t)
	}
	if err != nil {
		return nil, err
	}
	return s.userInfo(ctx, a, t.IDToken.Subject)
}

// askUser sends the access token of t.
func (c *Client) askUser(ctx context.Context, to endpoint, t *Tokens) (*answer, error) {
	target, err := url.Parse(to.url)
	if err != nil {
		return nil, unavailable(to, err)
	}
	m := message{method: http.MethodGet, header: http.Header{}}
	if c.cfg.UserInfoByForm {
		m.method = http.MethodPost
	}
	if err := c.present(m.header, m.method, target, t.TokenType, t.AccessToken); err != nil {
		return nil, fmt.Errorf("client: %s endpoint: %w", to.name, err)
	}
	if c.cfg.UserInfoByForm { // RFC 6750 2.2: in one place only
		m.header.Del("Authorization")
		m.body = url.Values{"access_token": {t.AccessToken}}.Encode()
	}
	m.secrets = []string{t.AccessToken, url.QueryEscape(t.AccessToken), m.header.Get("DPoP")}
	a, err := send(ctx, c.call, to, m)
	if err == nil {
		c.rememberNonce(to.url, a.header)
	}
	return a, err
}

// userInfo judges an answer for the user subject.
func (s *snapshot) userInfo(ctx context.Context, a *answer, subject string) (*UserInfo, error) {
	if a.status != http.StatusOK {
		return nil, s.oauthError(a)
	}
	isJWT := a.mediaType() == "application/jwt"
	switch {
	case s.userinfo != nil && !isJWT:
		return nil, a.refuseUnsigned("UserInfoSignedResponseAlg")
	case s.userinfo != nil:
		claims, err := s.userinfo.UserInfo(ctx, a.body, subject)
		if err != nil {
			return nil, a.refuseJWT(err)
		}
		return &UserInfo{Subject: subject, claims: string(claims)}, nil
	case isJWT:
		e := a.refuse("the answer is a JWT (userinfo_signed_response_alg of the client's registration)")
		e.Err = ErrUnsupported
		return nil, e
	case a.mediaType() != "application/json":
		return nil, a.refuse(a.notJSON())
	}
	return a.plainUserInfo(subject)
}

// plainUserInfo reads claims that nobody signed.
func (a *answer) plainUserInfo(subject string) (*UserInfo, error) {
	u := &UserInfo{claims: a.body}
	isText := false
	err := members(a.body, []string{"sub"}, func(name string, v strictjson.Value) error {
		if name == "sub" {
			u.Subject, isText = v.String()
		}
		return nil
	})
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	if !isText || u.Subject == "" {
		return nil, a.refuse("sub is missing")
	}
	if u.Subject != subject { // 5.3.2
		return nil, a.refuse("sub is not the one of the ID token")
	}
	return u, nil
}
