package clienttest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

// A road is all that a client does: it signs in, asks for claims, is an API that takes its own token,
// refreshes, signs out, and does without somebody who registers clients. It ends at the first error.
func road(ctx context.Context, rp *client.Client, op *clienttest.Provider) error {
	age := time.Hour
	login, err := rp.Authorize(ctx, &client.AuthorizeOptions{MaxAge: &age, ACRValues: []string{"2"}})
	if err != nil {
		return err
	}
	callback, err := op.SignIn(login.URL(), "alice")
	if err != nil {
		return err
	}
	tokens, err := rp.Exchange(ctx, login, callback.Query())
	if err != nil {
		return err
	}
	if _, err := rp.UserInfo(ctx, tokens); err != nil {
		return err
	}
	api := client.Introspector{Client: rp, Audience: op.Issuer()}
	if _, err := api.AccessToken(ctx, tokens.AccessToken); err != nil {
		return err
	}
	if tokens, err = rp.Refresh(ctx, tokens); err != nil {
		return err
	}
	if _, err := rp.LogoutURL(ctx, client.LogoutOptions{IDToken: tokens.IDToken}); err != nil {
		return err
	}
	if err := rp.Revoke(ctx, tokens); err != nil {
		return err
	}
	return roadOfItsOwn(ctx, op)
}

// roadOfItsOwn is that of a client which registers itself, and goes again.
func roadOfItsOwn(ctx context.Context, op *clienttest.Provider) error {
	reg, err := client.Register(ctx, op.Issuer(), client.RegistrationRequest{
		Metadata:   client.ClientMetadata{RedirectURIs: []string{redirectURL}},
		HTTPClient: op.HTTPClient(),
		Now:        op.Now,
	})
	if err != nil {
		return err
	}
	if reg, err = reg.Update(ctx, reg.Metadata); err != nil {
		return err
	}
	cfg, err := reg.Config(client.Config{})
	if err != nil {
		return err
	}
	rp, err := client.New(cfg)
	if err != nil {
		return err
	}
	login, err := rp.Authorize(ctx, nil)
	if err != nil {
		return err
	}
	callback, err := op.SignIn(login.URL(), "alice")
	if err != nil {
		return err
	}
	if _, err := rp.Exchange(ctx, login, callback.Query()); err != nil {
		return err
	}
	return reg.Delete(ctx)
}

// errRefused stands for an *AuthError in the table.
var errRefused = errors.New("the provider refused")

// An outcome is how the road ends: err is nil, or what a caller branches on, and the text
// names the check.
type outcome struct {
	err  error
	text string
}

// TestClientMeetsEveryFault fails for a fault whose outcome nobody decided. Each road is taken
// in a bubble, where a time-out takes no time.
func TestClientMeetsEveryFault(t *testing.T) {
	outcomes := clientOutcomes()
	for _, fault := range clienttest.Faults() {
		want, ok := outcomes[fault]
		if !ok {
			t.Errorf("what does a client do about %s?", fault)
			continue
		}
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := clienttest.New(optionsFor(fault))
				defer op.Close()
				rp, err := client.New(configFor(fault, op))
				if err != nil {
					t.Fatal(err)
				}
				if err := road(t.Context(), rp, op); err != nil {
					t.Fatalf("without the fault: %v", err)
				}
				rp, err = client.New(configFor(fault, op)) // one that remembers nothing
				if err != nil {
					t.Fatal(err)
				}
				op.SetFaults(fault)
				want.check(t, road(t.Context(), rp, op))
				if n := op.Count("elsewhere"); n != 0 {
					t.Errorf("%d requests went elsewhere", n)
				}
			})
		})
	}
}

func (o outcome) check(t *testing.T, err error) {
	t.Helper()
	var refusal *client.AuthError
	switch {
	case o.err == nil && err != nil:
		t.Errorf("got %v, want success", err)
	case o.err == nil:
	case o.err == errRefused && !errors.As(err, &refusal):
		t.Errorf("got %v, want an AuthError", err)
	case o.err != errRefused && !errors.Is(err, o.err):
		t.Errorf("got %v, want %v", err, o.err)
	case !strings.Contains(err.Error(), o.text):
		t.Errorf("got %v, want %q in it", err, o.text)
	}
}

func clientOutcomes() map[clienttest.Fault]outcome {
	fine := outcome{}
	rejected := func(text string) outcome { return outcome{client.ErrRejected, text} }
	invalid := func(text string) outcome { return outcome{jwtverify.ErrInvalid, text} }
	unavailable := func(text string) outcome { return outcome{client.ErrUnavailable, text} }
	unsupported := func(text string) outcome { return outcome{client.ErrUnsupported, text} }
	return map[clienttest.Fault]outcome{
		clienttest.ErrorCallback:  {errRefused, "access_denied"},
		clienttest.LoginRequired:  {errRefused, "login_required"},
		clienttest.WrongState:     rejected("state is not the one"),
		clienttest.MissingState:   rejected("state is missing"),
		clienttest.DoubleState:    rejected("state is there more than once"),
		clienttest.MissingCode:    rejected("code is missing"),
		clienttest.DoubleCode:     rejected("code is there more than once"),
		clienttest.CodeAndError:   rejected("together with a code"),
		clienttest.WrongIss:       rejected("iss is not the issuer"),
		clienttest.MissingIss:     rejected("iss is missing"),
		clienttest.UnaskedIDToken: rejected("id_token was not asked for"),

		clienttest.WrongSessionState:   fine, // the page of the application meets it
		clienttest.MissingSessionState: fine,
		clienttest.ACRIgnored:          invalid("acr is not one"),
		clienttest.MaxAgeIgnored:       fine, // the road has nobody signed in before

		clienttest.WrongNonce:      invalid("nonce is that of another request"),
		clienttest.MissingNonce:    invalid("nonce is missing"),
		clienttest.WrongIssuer:     invalid("iss is another issuer"),
		clienttest.MissingIssuer:   invalid("iss"),
		clienttest.WrongAudience:   invalid("aud does not name this audience"),
		clienttest.MissingAudience: invalid("aud"),
		clienttest.ExtraAudience:   invalid("not trusted"),
		clienttest.WrongAZP:        invalid("azp is another party"),
		clienttest.MissingSub:      invalid("sub is missing"),
		clienttest.EmptySub:        invalid("sub is empty"),
		clienttest.DoubleSub:       invalid(`duplicate member "sub"`),
		clienttest.FoldedSub:       invalid(`member "SUB"`),
		clienttest.ExpiredIDToken:  {jwtverify.ErrExpired, "exp is over"},
		clienttest.MissingExp:      invalid("exp is missing"),
		clienttest.OldIat:          {jwtverify.ErrExpired, "iat is more than a day ago"},
		clienttest.FutureIat:       invalid("iat is in the future"),
		clienttest.MissingIat:      invalid("iat is missing"),
		clienttest.OldAuthTime:     invalid("auth_time is too long ago"),
		clienttest.MissingAuthTime: invalid("auth_time is missing"),
		clienttest.WrongACR:        invalid("acr is not one"),
		clienttest.MissingACR:      invalid("acr is not one"),
		clienttest.WrongAtHash:     invalid("at_hash is not of the access token"),

		clienttest.BadSignature:         invalid("signature does not verify"),
		clienttest.AlgNone:              invalid("not signed"),
		clienttest.HS256PublicKey:       invalid("alg is not an algorithm that may sign"),
		clienttest.WrongHSSecret:        invalid("signature does not verify"),
		clienttest.KeyInsteadOfSecret:   invalid("alg is not an algorithm that may sign"),
		clienttest.UnknownKid:           invalid("kid names no key"),
		clienttest.MissingKid:           fine,
		clienttest.StaleKey:             invalid("kid names no key"),
		clienttest.EmbeddedKey:          invalid("signature does not verify"),
		clienttest.NoIDToken:            rejected("no id_token"),
		clienttest.AccessTokenAsIDToken: invalid("typ is that of another kind of token"),

		clienttest.PlainInsteadOfEncrypted: invalid("not encrypted"),
		clienttest.UnsignedJWE:             invalid("not a JWT in compact form"),
		clienttest.WrongJWEKey:             invalid("cannot be decrypted"),
		clienttest.ZippedJWE:               invalid("zip asks for decompression"),

		clienttest.TokenErrorIn200:   {client.ErrInvalidGrant, "bad_verification_code"},
		clienttest.TokenHTML:         rejected("not application/json"),
		clienttest.TokenHuge:         rejected("more than"),
		clienttest.TokenSlow:         unavailable("timed out"),
		clienttest.TokenAnswerSlow:   unavailable("timed out"),
		clienttest.InvalidTarget:     fine, // the road asks for none
		clienttest.ResourceIgnored:   fine,
		clienttest.Token500:          unavailable("status 500"),
		clienttest.Token429:          unavailable("status 429"),
		clienttest.TokenRedirect:     rejected("status 307"),
		clienttest.InvalidGrant:      {client.ErrInvalidGrant, "invalid_grant"},
		clienttest.InvalidClient:     rejected("invalid_client"),
		clienttest.NoAccessToken:     rejected("access_token is missing"),
		clienttest.DoubleAccessToken: rejected("every member once"),
		clienttest.WrongTokenType:    rejected("token_type"),

		clienttest.ExpiresInString:   fine,
		clienttest.ExpiresInZero:     fine,
		clienttest.NoExpiresIn:       fine,
		clienttest.TokenTypeCase:     fine,
		clienttest.RefreshNoIDToken:  fine,
		clienttest.RefreshNoRotation: fine,
		clienttest.RefreshOtherSub:   invalid("sub is not that of the token before"),
		clienttest.RefreshLost:       unavailable("no complete HTTP answer"),
		clienttest.RefreshEmpty400:   rejected("status 400"),

		clienttest.UserInfoWrongSub:   rejected("sub is not the one of the ID token"),
		clienttest.UserInfoMissingSub: rejected("sub is missing"),
		clienttest.UserInfoHTML:       rejected("not application/json"),
		clienttest.UserInfoHuge:       rejected("more than"),
		clienttest.UserInfo401:        rejected("status 401"),
		clienttest.UserInfo500:        unavailable("status 500"),
		clienttest.UserInfoRedirect:   rejected("status 307"),

		clienttest.IntrospectionInactive:     invalid("not active"),
		clienttest.IntrospectionActiveString: rejected("active is not a boolean"),
		clienttest.IntrospectionNoActive:     rejected("active is not a boolean"),
		clienttest.IntrospectionNoAud:        invalid("aud does not name this audience"),
		clienttest.IntrospectionWrongAud:     invalid("aud does not name this audience"),
		clienttest.IntrospectionWrongIss:     invalid("iss is another issuer"),
		clienttest.IntrospectionExpired:      {jwtverify.ErrExpired, "exp is over"},
		clienttest.IntrospectionRefreshToken: invalid("token_type is that of another kind"),
		clienttest.IntrospectionJWT:          unsupported("the answer is a JWT"),
		clienttest.IntrospectionHTML:         rejected("not application/json"),
		clienttest.IntrospectionHuge:         rejected("more than"),
		clienttest.IntrospectionSlow:         {jwtverify.ErrKeys, "timed out"},
		clienttest.Introspection500:          {jwtverify.ErrKeys, "status 500"},
		clienttest.IntrospectionRedirect:     rejected("status 307"),

		clienttest.RegistrationNoMethod:      fine,
		clienttest.RegistrationSecretPost:    fine,
		clienttest.RegistrationExpiredSecret: rejected("the client secret expired"),
		clienttest.Registration500:           unavailable("status 500"),
		clienttest.RegistrationRedirect:      rejected("status 307"),

		clienttest.JWKS500:   {jwtverify.ErrKeys, "status 500"},
		clienttest.JWKSSlow:  {jwtverify.ErrKeys, "deadline exceeded"},
		clienttest.JWKSHuge:  {jwtverify.ErrKeys, "larger than"},
		clienttest.JWKSEmpty: invalid("kid names no key"),

		clienttest.Discovery500:         unavailable("status 500"),
		clienttest.DiscoverySlow:        unavailable("timed out"),
		clienttest.DiscoveryHuge:        rejected("more than"),
		clienttest.DiscoveryHTML:        rejected("not a JSON object"),
		clienttest.DiscoveryRedirect:    rejected("status 307"),
		clienttest.DiscoveryWrongIssuer: rejected("issuer is"),
		clienttest.DiscoverySlashIssuer: rejected("only the slash at the end differs"),
		clienttest.DiscoveryPlainHTTP:   rejected("token_endpoint must be https"),

		clienttest.NoIssParameter: fine,
		clienttest.NoUserInfo:     unsupported("userinfo_endpoint"),
		clienttest.NoEndSession:   unsupported("end_session_endpoint"),
		clienttest.NoRevocation:   unsupported("revocation_endpoint"),

		clienttest.NoIntrospection: unsupported("introspection_endpoint"),
		clienttest.NoRegistration:  unsupported("registration_endpoint"),

		clienttest.NoCheckSession:       fine,
		clienttest.NoBackChannelLogout:  fine,
		clienttest.NoFrontChannelLogout: fine,

		clienttest.Revocation500:        unavailable("status 500"),
		clienttest.EndSession500:        fine, // the browser meets this and the next two, not the client
		clienttest.LogoutWrongState:     fine,
		clienttest.LogoutMissingState:   fine,
		clienttest.LogoutTokenAlgNone:   fine, // and the back channel these
		clienttest.LogoutTokenWrongKey:  fine,
		clienttest.LogoutTokenPlainType: fine,
		clienttest.LogoutTokenTwice:     fine,
	}
}

// TestClientOfEveryKind takes the road with every way to authenticate and every algorithm.
func TestClientOfEveryKind(t *testing.T) {
	take := func(t *testing.T, opts *clienttest.Options) {
		op := clienttest.New(opts)
		defer op.Close()
		rp, err := client.New(op.Config(redirectURL))
		if err != nil {
			t.Fatal(err)
		}
		if err := road(t.Context(), rp, op); err != nil {
			t.Error(err)
		}
	}
	for _, method := range []string{"client_secret_basic", "client_secret_post", "none"} {
		t.Run(method, func(t *testing.T) {
			c := clienttest.Client{ID: "a client", Secret: "s p+c%:é", AuthMethod: method}
			if method == "none" {
				c.Secret = ""
			}
			take(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{c}})
		})
	}
	for _, algorithm := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run(algorithm, func(t *testing.T) { take(t, &clienttest.Options{Algorithm: algorithm}) })
	}
}

// TestClientAndALostAnswer: the refresh happened, the client does not know it, and the old refresh
// token is used up.
func TestClientAndALostAnswer(t *testing.T) {
	op := clienttest.New(fast())
	defer op.Close()
	rp, err := client.New(op.Config(redirectURL))
	if err != nil {
		t.Fatal(err)
	}
	login, err := rp.Authorize(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	callback, err := op.SignIn(login.URL(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := rp.Exchange(t.Context(), login, callback.Query())
	if err != nil {
		t.Fatal(err)
	}
	op.SetFaults(clienttest.RefreshLost)
	if _, err := rp.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("the lost answer: %v", err)
	}
	op.SetFaults()
	if _, err := rp.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrInvalidGrant) || !strings.Contains(err.Error(), "used before") {
		t.Errorf("the refresh after it: %v", err)
	}
}
