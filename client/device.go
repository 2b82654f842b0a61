package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// A DeviceLogin is a sign-in that a person finishes in a browser on another device
// (RFC 8628): show them UserCode and VerificationURI, or VerificationURIComplete as a link
// or a QR code, and call [Client.WaitDevice]. Show the code beside a QR code too, so that
// they can compare it: whoever gets somebody else to approve a code of theirs is signed in
// as that person (5.4).
//
// It prints as [redacted]. The zero DeviceLogin is of no use.
type DeviceLogin struct {
	UserCode                string    // what the person types, of visible ASCII
	VerificationURI         string    // where: https, or http on a loopback host where the issuer is that too
	VerificationURIComplete string    // the same with the code in it; empty: the provider has none
	Expires                 time.Time // when the code is no good any more, in whole seconds

	code    string
	pending pending
}

// Device begins a sign-in on a device without a browser: a command line, a television.
// opts may be nil. Where there is a browser on the same machine, [Client.Authorize] with a
// loopback redirect URL is safer.
//
// The error wraps ErrUnsupported where the metadata has no device_authorization_endpoint
// or lists grants and not this one, ErrUnavailable where the provider is in trouble, and
// ErrRejected for any other answer.
func (c *Client) Device(ctx context.Context, opts *GrantOptions) (*DeviceLogin, error) {
	s, err := c.offering(ctx, grantDevice, opts)
	if err != nil {
		return nil, err
	}
	to := endpoint{name: "device authorization", url: s.metadata.DeviceAuthorizationEndpoint}
	if to.url == "" {
		return nil, unsupported("device_authorization_endpoint")
	}
	var l DeviceLogin
	var googles string
	var life, interval time.Duration
	want := asked{scope: c.personScope(opts), person: true}
	sent := c.Now()
	a, err := c.ask(ctx, s, to, opts.form(want.scope, nil), map[string]func(strictjson.Value) bool{ // RFC 8628 3.2
		"device_code":               into(&l.code),
		"user_code":                 into(&l.UserCode),
		"verification_uri":          into(&l.VerificationURI),
		"verification_url":          into(&googles), // Google and Entra v1 follow a draft
		"verification_uri_complete": into(&l.VerificationURIComplete),
		"expires_in":                seconds(&life),
		"interval":                  seconds(&interval),
	})
	if err != nil {
		return nil, err
	}
	if l.VerificationURI == "" {
		l.VerificationURI = googles
	}
	if l.pending, err = c.newPending(sent, life, interval, want); err == nil {
		err = l.check(strings.HasPrefix(c.cfg.Issuer, "http:"))
	}
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	l.Expires = l.pending.expires
	return &l, nil
}

// maxUserCode is more than anybody would type.
const maxUserCode = 64

// check applies RFC 8628 3.2. What a person is shown or a browser opens is kept from
// being anything else, such as control characters of a terminal or a javascript: URL.
func (l *DeviceLogin) check(allowHTTP bool) error {
	if l.code == "" {
		return errors.New("device_code is missing")
	}
	if l.UserCode == "" {
		return errors.New("user_code is missing")
	}
	if len(l.UserCode) > maxUserCode || !isVSChar(l.UserCode) {
		return fmt.Errorf("user_code is not one of at most %d ASCII characters", maxUserCode)
	}
	if err := checkPage(l.VerificationURI, allowHTTP); err != nil {
		return fmt.Errorf("verification_uri %w", err)
	}
	if l.VerificationURIComplete == "" {
		return nil
	}
	if err := checkPage(l.VerificationURIComplete, allowHTTP); err != nil {
		return fmt.Errorf("verification_uri_complete %w", err)
	}
	return nil
}

// checkPage is checkEndpoint for what people open: a page may be named by a fragment.
func checkPage(page string, allowHTTP bool) error {
	place, fragment, _ := strings.Cut(page, "#")
	if !isVisible(fragment) {
		return errors.New("has characters that a URL does not have")
	}
	return checkEndpoint(place, allowHTTP)
}

// WaitDevice asks the provider, as often as it allows, until the person has decided, and
// returns the tokens: their ID token has been verified, and must have no nonce; it is nil
// only where the provider did not grant openid. What brought the person to approve is not known here;
// see [DeviceLogin].
//
// It blocks until then, or until ctx or the code ends. It asks less often after
// slow_down and while the provider is in trouble (RFC 8628 3.5). Call it once for each
// DeviceLogin; after an error that wraps ErrUnavailable, because ctx ended, it may be called again.
//
// The error is an [*AuthError] with the code access_denied where the person said no. It
// wraps ErrInvalidGrant where the code expired, and ErrRejected where an answer or the ID
// token did not pass: begin anew.
func (c *Client) WaitDevice(ctx context.Context, l *DeviceLogin) (*Tokens, error) {
	if l == nil {
		l = &DeviceLogin{}
	}
	return c.poll(ctx, &l.pending, l.pending.interval, url.Values{"grant_type": {grantDevice}, "device_code": {l.code}})
}

// Format prints [redacted], whatever the verb.
func (l DeviceLogin) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (l DeviceLogin) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (l DeviceLogin) MarshalJSON() ([]byte, error) { return redactedJSON, nil }
