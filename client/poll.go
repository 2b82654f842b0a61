package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// How often and how long the provider is asked whether somebody has decided.
const (
	defaultInterval = 5 * time.Second // where the provider does not say (RFC 8628 3.2, CIBA 7.3)
	minInterval     = time.Second     // where it says less
	slowDown        = 5 * time.Second // more after each slow_down (RFC 8628 3.5, CIBA 11)
	maxTrouble      = time.Minute     // between two attempts while the provider is in trouble, unless it said more
	maxPending      = 24 * time.Hour  // providers give minutes
)

// A pending is a sign-in that a person decides on somewhere else.
type pending struct {
	issuer, clientID string
	expires          time.Time
	interval         time.Duration
	asked            asked
}

// newPending counts from when the request was sent. life must have been given
// (RFC 8628 3.2, CIBA 7.3).
func (c *Client) newPending(sent time.Time, life, interval time.Duration, want asked) (pending, error) {
	if life <= 0 {
		return pending{}, errors.New("expires_in is missing")
	}
	if interval == 0 {
		interval = defaultInterval
	}
	return pending{
		issuer:   c.cfg.Issuer,
		clientID: c.cfg.ClientID,
		expires:  sent.Add(min(life, maxPending)).Truncate(time.Second),
		interval: max(interval, minInterval),
		asked:    want,
	}, nil
}

// poll sends form until somebody has decided, the first time after wait.
func (c *Client) poll(ctx context.Context, p *pending, wait time.Duration, form url.Values) (*Tokens, error) {
	if err := c.onlyOpenID("a sign-in by another device"); err != nil {
		return nil, err
	}
	if p.issuer != c.cfg.Issuer || p.clientID != c.cfg.ClientID {
		return nil, fmt.Errorf("client: %w: the sign-in was not begun by this client", ErrRejected)
	}
	interval := p.interval
	for {
		if err := sleep(ctx, min(wait, p.expires.Sub(c.Now()))); err != nil {
			return nil, unavailable(endpoint{name: "token"}, err)
		}
		if !c.Now().Before(p.expires) {
			return nil, fmt.Errorf("client: %w: nobody decided in time", ErrInvalidGrant)
		}
		s, err := c.provider(ctx)
		if err != nil {
			return nil, err
		}
		t, err := c.grant(ctx, s, form, p.asked)
		if err == nil {
			return t, nil
		}
		var again bool
		if interval, again = nextInterval(interval, err); !again || ctx.Err() != nil {
			return nil, refusal(err)
		}
		wait = interval
	}
}

// nextInterval says whether an error means to ask again, and how much later (RFC 8628
// 3.5, CIBA 11). A provider that is in trouble is asked less and less often, for the
// person may be halfway through.
func nextInterval(interval time.Duration, err error) (next time.Duration, again bool) {
	var e *ResponseError
	switch {
	case !errors.As(err, &e):
		return 0, false
	case e.Code == "authorization_pending":
		return interval, true
	case e.Code == "slow_down":
		return interval + slowDown, true
	case errors.Is(e, ErrUnavailable):
		return max(interval, min(2*interval, maxTrouble)), true
	}
	return 0, false
}

// refusal is the error to give out: a person's no is what it is in a callback.
func refusal(err error) error {
	var e *ResponseError
	if errors.As(err, &e) && e.Code == "access_denied" {
		return &AuthError{Code: e.Code, Description: e.Description, URI: e.URI}
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() // where both are there, the end of ctx counts
	case <-ctx.Done():
		return ctx.Err()
	}
}
