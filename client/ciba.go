package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
	"github.com/postern-go/postern/jwtverify"
)

// A CIBARequest says who is to sign in, and what they are shown (CIBA Core 7.1). Exactly
// one of the three hints is required, and a zero field beside them sends nothing. It prints as
// [redacted].
type CIBARequest struct {
	LoginHint      string             // a name that the provider knows them by
	LoginHintToken string             // the same in a token that the provider understands
	IDTokenHint    *jwtverify.IDToken // of an earlier sign-in here. Enforced: another user is refused

	BindingMessage  string        // what both devices show, so that the person can tell that they belong together
	UserCode        string        // a secret of the person, which keeps others from making their phone ring
	RequestedExpiry time.Duration // how long they may take, in whole seconds; zero: as the provider likes
	ACRValues       []string      // in order of preference. Enforced: an ID token whose acr is none of them is refused
	Ping            bool          // for a client that is registered for it: the provider is to say when they have decided; see CIBAPing
}

// A CIBALogin is a sign-in that a person finishes on a device of theirs (CIBA Core). It
// prints as [redacted]; MarshalBinary, versioned, is the one door to storage, for a ping
// that another process gets. The zero CIBALogin is refused.
type CIBALogin struct {
	id           string // auth_req_id
	notification string // client_notification_token; empty: no ping was asked for
	subject      string // who must sign in; empty: nobody in particular
	pending      pending
	pinged       bool
}

// AuthReqID is how a ping names the sign-in (auth_req_id). It is a secret until that is
// over.
func (l *CIBALogin) AuthReqID() string { return l.id }

// Expires is when the sign-in is over, decided or not, in whole seconds.
func (l *CIBALogin) Expires() time.Time { return l.pending.expires }

// CIBA begins a sign-in of somebody whose name is known and whose browser is not here: a
// customer on the phone, at a counter, at a payment terminal (Client-Initiated Backchannel
// Authentication Core 1.0 7). opts may be nil. [Client.WaitCIBA] returns the tokens.
//
// Anybody who may name a user here makes that user's phone ring: bound how often, and show a
// BindingMessage. That it is the named user who decided is the provider's word, but for IDTokenHint.
//
// A client without a way to authenticate is refused here. The error wraps ErrUnsupported
// where the metadata has no backchannel_authentication_endpoint, or lists grants or delivery modes and not the one
// that is needed; ErrUnavailable where the provider is in trouble, and ErrRejected for any
// other answer; the Code of its [*ResponseError] says more (CIBA 13), such as
// unknown_user_id.
func (c *Client) CIBA(ctx context.Context, r CIBARequest, opts *GrantOptions) (*CIBALogin, error) {
	if err := r.validate(c.cfg.Issuer); err != nil {
		return nil, fmt.Errorf("client: CIBARequest.%w", err)
	}
	s, err := c.offering(ctx, grantCIBA, opts)
	if err != nil {
		return nil, err
	}
	if err := s.authenticates("backchannel authentication is"); err != nil { // CIBA 7.1
		return nil, err
	}
	to := endpoint{name: "backchannel authentication", url: s.metadata.BackchannelAuthenticationEndpoint}
	if to.url == "" {
		return nil, unsupported("backchannel_authentication_endpoint")
	}
	if modes := s.metadata.BackchannelTokenDeliveryModesSupported; r.Ping && len(modes) > 0 && !slices.Contains(modes, "ping") {
		return nil, fmt.Errorf("client: %w: backchannel_token_delivery_modes_supported of its metadata has no ping", ErrUnsupported)
	}
	l := &CIBALogin{}
	want := asked{scope: c.personScope(opts), person: true}
	if len(r.ACRValues) > 0 {
		want.acr = slices.Clone(r.ACRValues)
	}
	if r.IDTokenHint != nil {
		l.subject = r.IDTokenHint.Subject
	}
	if r.Ping {
		l.notification, _ = newSecrets()
	}
	var life, interval time.Duration
	sent := c.Now()
	a, err := c.ask(ctx, s, to, opts.form(want.scope, r.params(l.notification)), map[string]func(strictjson.Value) bool{ // CIBA 7.3
		"auth_req_id": into(&l.id),
		"expires_in":  seconds(&life),
		"interval":    seconds(&interval),
	})
	if err != nil {
		return nil, err
	}
	if l.id == "" {
		return nil, a.refuse("auth_req_id is missing")
	}
	if l.pending, err = c.newPending(sent, life, interval, want); err != nil {
		return nil, a.refuse(err.Error())
	}
	return l, nil
}

// validate completes a sentence that begins with CIBARequest and a dot.
func (r *CIBARequest) validate(issuer string) error {
	hints := 0
	for _, there := range []bool{r.LoginHint != "", r.LoginHintToken != "", r.IDTokenHint != nil} {
		if there {
			hints++
		}
	}
	if hints != 1 { // CIBA 7.1
		return fmt.Errorf("LoginHint, LoginHintToken and IDTokenHint: exactly one must be set, not %d", hints)
	}
	if r.IDTokenHint != nil && r.IDTokenHint.Issuer != issuer {
		return errors.New("IDTokenHint is of another issuer")
	}
	if r.IDTokenHint != nil && r.IDTokenHint.Raw() == "" {
		return errors.New("IDTokenHint has lost its raw token")
	}
	if r.RequestedExpiry < 0 || r.RequestedExpiry%time.Second != 0 {
		return errors.New("RequestedExpiry must be a positive number of whole seconds")
	}
	if err := checkWords(r.ACRValues); err != nil {
		return fmt.Errorf("ACRValues: %w", err)
	}
	return nil
}

// params are the parameters of CIBA 7.1. An empty one is not sent.
func (r *CIBARequest) params(notification string) url.Values {
	form := url.Values{
		"login_hint":                {r.LoginHint},
		"login_hint_token":          {r.LoginHintToken},
		"binding_message":           {r.BindingMessage},
		"user_code":                 {r.UserCode},
		"acr_values":                {strings.Join(r.ACRValues, " ")},
		"client_notification_token": {notification},
	}
	if r.IDTokenHint != nil {
		form.Set("id_token_hint", r.IDTokenHint.Raw())
	}
	if r.RequestedExpiry > 0 {
		form.Set("requested_expiry", strconv.FormatInt(int64(r.RequestedExpiry/time.Second), 10))
	}
	return form
}

// claimAuthReqID binds an ID token to its request (CIBA 7.3, 10.3.1). Only a provider that
// pushes tokens must have it, and others may.
const claimAuthReqID = "urn:openid:params:jwt:claim:auth_req_id"

// WaitCIBA asks the provider, as often as it allows, until the person has decided, and
// returns the tokens, with their ID token: it has been verified, must have no nonce, and be
// of this sign-in where it says of which it is. A login that [CIBAPing] returned is asked for
// at once; without a ping, one is polled for like any other, so that a lost ping is no harm.
//
// It blocks until then, or until ctx or the sign-in ends. It asks less often after
// slow_down and while the provider is in trouble. Call it once for each CIBALogin; after an
// error that wraps ErrUnavailable, because ctx ended, it may be called again.
//
// The error is an [*AuthError] with the code access_denied where the person said no. It
// wraps ErrInvalidGrant where they did not decide in time, and ErrRejected where an answer
// or the ID token did not pass: begin anew.
func (c *Client) WaitCIBA(ctx context.Context, l *CIBALogin) (*Tokens, error) {
	if l == nil {
		l = &CIBALogin{}
	}
	wait := l.pending.interval
	if l.pinged {
		wait = 0
	}
	t, err := c.poll(ctx, &l.pending, wait, url.Values{"grant_type": {grantCIBA}, "auth_req_id": {l.id}})
	if err != nil {
		return nil, err
	}
	if err := l.owns(t.IDToken); err != nil {
		return nil, fmt.Errorf("client: %w: %w", ErrRejected, err)
	}
	return t, nil
}

// owns checks that an ID token is of this sign-in.
func (l *CIBALogin) owns(id *jwtverify.IDToken) error {
	if id == nil { // CIBA 10.1.1: the answer is that of Core 3.1.3.3
		return errors.New("the token answer has no id_token, although openid was asked for")
	}
	if l.subject != "" && id.Subject != l.subject {
		return errors.New("ID token: sub is not that of CIBARequest.IDTokenHint")
	}
	raw, ok := id.Claim(claimAuthReqID)
	if !ok {
		return nil
	}
	var named string
	if err := json.Unmarshal(raw, &named); err != nil || !sameSecret(named, l.id) {
		return errors.New("ID token: " + claimAuthReqID + " is that of another request")
	}
	return nil
}

// Format prints [redacted], whatever the verb.
func (r CIBARequest) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (r CIBARequest) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (r CIBARequest) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// Format prints [redacted], whatever the verb.
func (l CIBALogin) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (l CIBALogin) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (l CIBALogin) MarshalJSON() ([]byte, error) { return redactedJSON, nil }
