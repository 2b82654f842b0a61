package client

import (
	"context"
	"fmt"
	"net/url"
	"slices"
)

// RefreshFor stands here until the branch that has it in refresh.go is merged: delete this
// file then.
func (c *Client) RefreshFor(ctx context.Context, t *Tokens, opts *GrantOptions) (*Tokens, error) {
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if err := c.checkOwn(t); err != nil {
		return nil, err
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	sent := c.Now()
	a, err := c.token(ctx, s, opts.form(opts.scope(), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.RefreshToken}}))
	if err != nil {
		return nil, err
	}
	next := a.tokens(sent)
	if next.RefreshToken == "" {
		next.RefreshToken = t.RefreshToken
	}
	if next.Scope == nil {
		next.Scope = slices.Clone(t.Scope)
	}
	next.IDToken, err = refreshedIDToken(ctx, s, a, t.IDToken)
	return next, err
}
