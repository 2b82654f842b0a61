package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/postern-go/postern/internal/strictjson"
)

// A UserInfo is the answer of the userinfo endpoint (OpenID Connect Core 5.3).
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

// UserInfo asks the userinfo endpoint with the access token of t. The answer must
// be of the user of t.IDToken (Core 5.3.2), which is required. It must be JSON: a
// signed or encrypted answer is ErrUnsupported. Its claims are as good as the
// connection, not signed.
//
// The error wraps ErrUnsupported where the provider has no such endpoint, and is a
// [*ResponseError] for an answer that was not accepted: Status 401 means that the
// access token is not good any more.
func (c *Client) UserInfo(ctx context.Context, t *Tokens) (*UserInfo, error) {
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
	a, err := c.askUser(ctx, to, t)
	if err == nil && c.wantsNonce(a) {
		a, err = c.askUser(ctx, to, t)
	}
	if err != nil {
		return nil, err
	}
	return s.userInfo(a, t.IDToken.Subject)
}

// askUser sends a GET with the access token of t.
func (c *Client) askUser(ctx context.Context, to endpoint, t *Tokens) (*answer, error) {
	target, err := url.Parse(to.url)
	if err != nil {
		return nil, unavailable(to, err)
	}
	header := http.Header{}
	if err := c.present(header, http.MethodGet, target, t.TokenType, t.AccessToken); err != nil {
		return nil, fmt.Errorf("client: %s endpoint: %w", to.name, err)
	}
	a, err := send(ctx, c.call, to, message{method: http.MethodGet, header: header, secrets: []string{t.AccessToken, header.Get("DPoP")}})
	if err == nil {
		c.rememberNonce(to.url, a.header)
	}
	return a, err
}

// userInfo judges an answer for the user subject.
func (s *snapshot) userInfo(a *answer, subject string) (*UserInfo, error) {
	if a.status != http.StatusOK {
		return nil, s.oauthError(a)
	}
	switch a.mediaType() {
	case "application/json":
	case "application/jwt":
		e := a.refuse("the answer is a JWT (userinfo_signed_response_alg of the client's registration)")
		e.Err = ErrUnsupported
		return nil, e
	default:
		return nil, a.refuse(a.notJSON())
	}
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
