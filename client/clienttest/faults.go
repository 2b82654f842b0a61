package clienttest

// A Fault is something that the provider does wrong, or does in a way that an application may not
// expect. Several can be set at once.
type Fault string

// Faults of the authorization answer. An application must refuse each of them.
const (
	// ErrorCallback answers error=access_denied, as if the user had refused.
	ErrorCallback Fault = "error-callback"
	// LoginRequired answers error=login_required, whatever prompt says.
	LoginRequired Fault = "login-required"
	// WrongState answers with a state that was not sent.
	WrongState Fault = "wrong-state"
	// MissingState answers without the state.
	MissingState Fault = "missing-state"
	// DoubleState answers with the state and then another one.
	DoubleState Fault = "double-state"
	// MissingCode answers with neither code nor error.
	MissingCode Fault = "missing-code"
	// DoubleCode answers with the code and then another one.
	DoubleCode Fault = "double-code"
	// CodeAndError answers with a good code and error=server_error.
	CodeAndError Fault = "code-and-error"
	// WrongIss answers with the iss (RFC 9207) of another provider.
	WrongIss Fault = "wrong-iss"
	// MissingIss answers without iss, although the metadata promises one.
	MissingIss Fault = "missing-iss"
	// UnaskedIDToken answers response_type=code with a good id_token beside the code.
	UnaskedIDToken Fault = "unasked-id-token"
)

// Faults of session_state (OpenID Connect Session Management section 2).
const (
	// WrongSessionState is of another browser, so that check_session_iframe says changed.
	WrongSessionState Fault = "wrong-session-state"
	// MissingSessionState leaves it out.
	MissingSessionState Fault = "missing-session-state"
)

// Faults of the step-up: what a browser that is signed in asks for is not listened to, and it is
// answered at once. An application that only asks again goes in circles.
const (
	// ACRIgnored ignores acr_values and the acr in claims: the ID token has the user's own.
	ACRIgnored Fault = "acr-ignored"
	// MaxAgeIgnored ignores max_age and prompt=login: auth_time tells.
	MaxAgeIgnored Fault = "max-age-ignored"
)

// Faults of the claims of an ID token, at sign-in and at refresh. An application must refuse
// each of them, those of auth_time and acr where it asked for max_age and acr_values.
const (
	// WrongNonce puts in a nonce that was not sent, asked for or not.
	WrongNonce Fault = "wrong-nonce"
	// MissingNonce leaves the nonce out.
	MissingNonce Fault = "missing-nonce"
	// WrongIssuer names another issuer.
	WrongIssuer Fault = "wrong-issuer"
	// MissingIssuer names no issuer.
	MissingIssuer Fault = "missing-issuer"
	// WrongAudience names another client as the audience.
	WrongAudience Fault = "wrong-audience"
	// MissingAudience names no audience.
	MissingAudience Fault = "missing-audience"
	// ExtraAudience names another client beside this one; azp is this one.
	ExtraAudience Fault = "extra-audience"
	// WrongAZP names another client as azp; the audience is this one.
	WrongAZP Fault = "wrong-azp"
	// MissingSub leaves sub out.
	MissingSub Fault = "missing-sub"
	// EmptySub has an empty sub.
	EmptySub Fault = "empty-sub"
	// DoubleSub has the member sub twice, the second one of somebody else.
	DoubleSub Fault = "double-sub"
	// FoldedSub has a member SUB of somebody else after sub, which decoders that fold case take for it.
	FoldedSub Fault = "folded-sub"
	// ExpiredIDToken expired 10 minutes ago.
	ExpiredIDToken Fault = "expired-id-token"
	// MissingExp leaves exp out.
	MissingExp Fault = "missing-exp"
	// OldIat was issued two days ago, and has not expired yet.
	OldIat Fault = "old-iat"
	// FutureIat will be issued in an hour.
	FutureIat Fault = "future-iat"
	// MissingIat leaves iat out.
	MissingIat Fault = "missing-iat"
	// OldAuthTime says that the user signed in a day ago, whatever max_age asked for.
	OldAuthTime Fault = "old-auth-time"
	// MissingAuthTime leaves auth_time out, whatever max_age asked for.
	MissingAuthTime Fault = "missing-auth-time"
	// WrongACR has an acr that nobody asked for.
	WrongACR Fault = "wrong-acr"
	// MissingACR leaves acr out, whatever acr_values asked for.
	MissingACR Fault = "missing-acr"
	// WrongAtHash has the at_hash of another access token.
	WrongAtHash Fault = "wrong-at-hash"
)

// Faults of the signature of an ID token, and of the token as a whole. An application must
// refuse each of them, but live with MissingKid.
const (
	// BadSignature has one bit of the signature flipped.
	BadSignature Fault = "bad-signature"
	// AlgNone is not signed: alg is none, and the signature empty.
	AlgNone Fault = "alg-none"
	// HS256PublicKey is signed with HS256, the PEM of the public key taken as the secret.
	HS256PublicKey Fault = "hs256-public-key"
	// WrongHSSecret is authenticated with a secret that is not the client's: by HS256, or as the client is registered for.
	WrongHSSecret Fault = "wrong-hs-secret"
	// KeyInsteadOfSecret is signed with the provider's key, whatever the client is registered for.
	KeyInsteadOfSecret Fault = "key-instead-of-secret"
	// UnknownKid names a key that the JWKS does not have, a new one in every token, and is signed with the right one.
	UnknownKid Fault = "unknown-kid"
	// MissingKid names no key, and is signed with the right one.
	MissingKid Fault = "missing-kid"
	// StaleKey is signed with a key that the JWKS does not have, always the same one.
	StaleKey Fault = "stale-key"
	// EmbeddedKey is signed with a key that stands in its own header (jwk), under the kid of the right one.
	EmbeddedKey Fault = "embedded-key"
	// NoIDToken is not there.
	NoIDToken Fault = "no-id-token"
	// AccessTokenAsIDToken is the access token: a good JWT of the same key, for another purpose.
	AccessTokenAsIDToken Fault = "access-token-as-id-token"
)

// Faults of the encryption of an ID token. A client that is registered for it
// (Client.IDTokenEncryptionKey) must refuse each of them; for any other there is nothing to spoil.
const (
	// PlainInsteadOfEncrypted is signed and not encrypted.
	PlainInsteadOfEncrypted Fault = "plain-instead-of-encrypted"
	// UnsignedJWE has the claims themselves encrypted, without a signature: anybody has the key for that.
	UnsignedJWE Fault = "unsigned-jwe"
	// WrongJWEKey is encrypted to another key of the same type.
	WrongJWEKey Fault = "wrong-jwe-key"
	// ZippedJWE is compressed before it is encrypted (RFC 7516 section 4.1.3).
	ZippedJWE Fault = "zipped-jwe"
)

// Faults of the token endpoint that an application must refuse. Unless it says otherwise
// the request is not looked at: its code or refresh token stays as good as it was.
const (
	// TokenErrorIn200 answers 200 with error=bad_verification_code, as GitHub does.
	TokenErrorIn200 Fault = "token-error-in-200"
	// TokenHTML answers 200 with a page of HTML.
	TokenHTML Fault = "token-html"
	// TokenHuge answers 8 MiB of white space, then what it would have answered.
	TokenHuge Fault = "token-huge"
	// TokenSlow answers only after Release, SetFaults or Close. Before, it does not look at the request.
	TokenSlow Fault = "token-slow"
	// TokenAnswerSlow does what was asked, and answers only after Release, SetFaults or Close.
	TokenAnswerSlow Fault = "token-answer-slow"
	// InvalidTarget answers invalid_target to a request with a resource (RFC 8707 section 2).
	InvalidTarget Fault = "invalid-target"
	// Token500 answers 500 with error=server_error.
	Token500 Fault = "token-500"
	// Token429 answers 429 with Retry-After.
	Token429 Fault = "token-429"
	// TokenRedirect answers 307 to another host (endpoint elsewhere of the record).
	TokenRedirect Fault = "token-redirect"
	// InvalidGrant answers invalid_grant.
	InvalidGrant Fault = "invalid-grant"
	// InvalidClient answers 401 with invalid_client.
	InvalidClient Fault = "invalid-client"
	// NoAccessToken answers without access_token.
	NoAccessToken Fault = "no-access-token"
	// DoubleAccessToken answers with two members access_token, the first one of somebody else.
	DoubleAccessToken Fault = "double-access-token"
	// WrongTokenType answers with a token_type nobody asked for: DPoP.
	WrongTokenType Fault = "wrong-token-type"
)

// Oddities of the token endpoint that real providers have, and that an application must
// live with.
const (
	// ExpiresInString has expires_in as a string.
	ExpiresInString Fault = "expires-in-string"
	// ExpiresInZero has expires_in 0.
	ExpiresInZero Fault = "expires-in-zero"
	// NoExpiresIn leaves expires_in out.
	NoExpiresIn Fault = "no-expires-in"
	// TokenTypeCase has token_type bEARER.
	TokenTypeCase Fault = "token-type-case"
	// RefreshNoIDToken leaves the ID token out of the answer to a refresh.
	RefreshNoIDToken Fault = "refresh-no-id-token"
	// RefreshNoRotation answers a refresh without a refresh token; the old one stays good.
	RefreshNoRotation Fault = "refresh-no-rotation"
	// ResourceIgnored issues access tokens for the usual audience, whatever resource is asked for.
	ResourceIgnored Fault = "resource-ignored"
)

// Faults of a refresh alone.
const (
	// RefreshOtherSub issues tokens for another user. An application must refuse them.
	RefreshOtherSub Fault = "refresh-other-sub"
	// RefreshLost does the refresh, then cuts the connection instead of answering. With rotation, the refresh
	// token that the application still has is used up now, and using it again kills the grant.
	RefreshLost Fault = "refresh-lost"
	// RefreshEmpty400 answers 400 with an empty body, as Glewlwyd says that a grant is dead. The grant stays alive.
	RefreshEmpty400 Fault = "refresh-empty-400"
)

// Faults of the userinfo endpoint. An application must refuse each of them.
const (
	// UserInfoWrongSub answers with the sub of somebody else.
	UserInfoWrongSub Fault = "userinfo-wrong-sub"
	// UserInfoMissingSub answers without sub.
	UserInfoMissingSub Fault = "userinfo-missing-sub"
	// UserInfoHTML answers 200 with a page of HTML.
	UserInfoHTML Fault = "userinfo-html"
	// UserInfoHuge answers 8 MiB of white space, then what it would have answered.
	UserInfoHuge Fault = "userinfo-huge"
	// UserInfo401 answers 401, as if the access token were no good.
	UserInfo401 Fault = "userinfo-401"
	// UserInfo500 answers 500.
	UserInfo500 Fault = "userinfo-500"
	// UserInfoRedirect answers 307 to another host (endpoint elsewhere of the record).
	UserInfoRedirect Fault = "userinfo-redirect"
)

// Faults of the introspection endpoint. An API must not take a token for which it gets such an answer.
const (
	// IntrospectionInactive says that no token is active.
	IntrospectionInactive Fault = "introspection-inactive"
	// IntrospectionActiveString has active as a string: "true".
	IntrospectionActiveString Fault = "introspection-active-string"
	// IntrospectionNoActive answers without active.
	IntrospectionNoActive Fault = "introspection-no-active"
	// IntrospectionNoAud does not say whom the token is for, which RFC 7662 allows.
	IntrospectionNoAud Fault = "introspection-no-aud"
	// IntrospectionWrongAud names another API.
	IntrospectionWrongAud Fault = "introspection-wrong-aud"
	// IntrospectionWrongIss names another issuer.
	IntrospectionWrongIss Fault = "introspection-wrong-iss"
	// IntrospectionExpired is active, and expired 10 minutes ago.
	IntrospectionExpired Fault = "introspection-expired"
	// IntrospectionRefreshToken says that the token is a refresh token.
	IntrospectionRefreshToken Fault = "introspection-refresh-token"
	// IntrospectionJWT answers with a JWT (RFC 9701), asked for or not.
	IntrospectionJWT Fault = "introspection-jwt"
	// IntrospectionHTML answers 200 with a page of HTML.
	IntrospectionHTML Fault = "introspection-html"
	// IntrospectionHuge answers 8 MiB of white space, then what it would have answered.
	IntrospectionHuge Fault = "introspection-huge"
	// IntrospectionSlow answers only after Release, SetFaults or Close.
	IntrospectionSlow Fault = "introspection-slow"
	// Introspection500 answers 500.
	Introspection500 Fault = "introspection-500"
	// IntrospectionRedirect answers 307 to another host (endpoint elsewhere of the record).
	IntrospectionRedirect Fault = "introspection-redirect"
)

// Faults of dynamic registration, and of the management of what was registered.
const (
	// RegistrationNoMethod leaves token_endpoint_auth_method out of the answer, as Auth0's documentation does.
	RegistrationNoMethod Fault = "registration-no-method"
	// RegistrationSecretPost registers client_secret_post, and says so, whatever was asked for.
	RegistrationSecretPost Fault = "registration-secret-post"
	// RegistrationExpiredSecret has a client_secret_expires_at of an hour ago. An application must not use the secret.
	RegistrationExpiredSecret Fault = "registration-expired-secret"
	// Registration500 answers 500, and registers nothing.
	Registration500 Fault = "registration-500"
	// RegistrationRedirect answers 307 to another host (endpoint elsewhere of the record).
	RegistrationRedirect Fault = "registration-redirect"
)

// Faults of the JWKS.
const (
	// JWKS500 answers 500.
	JWKS500 Fault = "jwks-500"
	// JWKSSlow answers only after Release, SetFaults or Close.
	JWKSSlow Fault = "jwks-slow"
	// JWKSHuge answers 8 MiB of white space, then the keys.
	JWKSHuge Fault = "jwks-huge"
	// JWKSEmpty answers a set without keys.
	JWKSEmpty Fault = "jwks-empty"
)

// Faults of discovery.
const (
	// Discovery500 answers 500.
	Discovery500 Fault = "discovery-500"
	// DiscoverySlow answers only after Release, SetFaults or Close.
	DiscoverySlow Fault = "discovery-slow"
	// DiscoveryHuge answers 8 MiB of white space, then the document.
	DiscoveryHuge Fault = "discovery-huge"
	// DiscoveryHTML answers 200 with a page of HTML.
	DiscoveryHTML Fault = "discovery-html"
	// DiscoveryRedirect answers 307 to another host (endpoint elsewhere of the record).
	DiscoveryRedirect Fault = "discovery-redirect"
	// DiscoveryWrongIssuer names another issuer.
	DiscoveryWrongIssuer Fault = "discovery-wrong-issuer"
	// DiscoverySlashIssuer names the issuer with a slash at its end, or without the one it has.
	DiscoverySlashIssuer Fault = "discovery-slash-issuer"
	// DiscoveryPlainHTTP names a token endpoint with http: on another host.
	DiscoveryPlainHTTP Fault = "discovery-plain-http"
)

// Things that a provider need not have. The metadata does not name them, and they are not
// there.
const (
	// NoIssParameter does not promise iss in the authorization answer (RFC 9207), and does not send it.
	NoIssParameter Fault = "no-iss-parameter"
	// NoUserInfo has no userinfo endpoint.
	NoUserInfo Fault = "no-userinfo"
	// NoEndSession has no end_session endpoint, like Google's.
	NoEndSession Fault = "no-end-session"
	// NoRevocation has no revocation endpoint.
	NoRevocation Fault = "no-revocation"
	// NoIntrospection has no introspection endpoint.
	NoIntrospection Fault = "no-introspection"
	// NoRegistration lets nobody register.
	NoRegistration Fault = "no-registration"
	// NoCheckSession has no check_session_iframe and sends no session_state.
	NoCheckSession Fault = "no-check-session"
	// NoBackChannelLogout sends no logout tokens.
	NoBackChannelLogout Fault = "no-back-channel-logout"
	// NoFrontChannelLogout has no iframes on its page.
	NoFrontChannelLogout Fault = "no-front-channel-logout"
)

// Faults of signing out.
const (
	// EndSession500 answers 500 at the end_session endpoint, and ends nothing.
	EndSession500 Fault = "end-session-500"
	// Revocation500 answers 500 at the revocation endpoint, and revokes nothing.
	Revocation500 Fault = "revocation-500"
	// LogoutWrongState goes back to the application with a state that was not sent.
	LogoutWrongState Fault = "logout-wrong-state"
	// LogoutMissingState goes back to the application without the state.
	LogoutMissingState Fault = "logout-missing-state"
)

// Faults of logout tokens. An application must refuse the first two, and live with the others.
const (
	// LogoutTokenAlgNone is not signed: alg is none, and the signature empty.
	LogoutTokenAlgNone Fault = "logout-token-alg-none"
	// LogoutTokenWrongKey is signed with a key that the JWKS does not have, under the kid of the right one.
	LogoutTokenWrongKey Fault = "logout-token-wrong-key"
	// LogoutTokenPlainType has typ JWT, as providers older than logout+jwt.
	LogoutTokenPlainType Fault = "logout-token-plain-type"
	// LogoutTokenTwice is sent twice.
	LogoutTokenTwice Fault = "logout-token-twice"
)

// Faults returns all faults, in the order of their declaration, for tests that go through all of them.
func Faults() []Fault {
	return []Fault{
		ErrorCallback, LoginRequired, WrongState, MissingState, DoubleState, MissingCode, DoubleCode,
		CodeAndError, WrongIss, MissingIss, UnaskedIDToken,
		WrongSessionState, MissingSessionState, ACRIgnored, MaxAgeIgnored,
		WrongNonce, MissingNonce, WrongIssuer, MissingIssuer, WrongAudience, MissingAudience,
		ExtraAudience, WrongAZP, MissingSub, EmptySub, DoubleSub, FoldedSub, ExpiredIDToken,
		MissingExp, OldIat, FutureIat, MissingIat, OldAuthTime, MissingAuthTime, WrongACR, MissingACR,
		WrongAtHash,
		BadSignature, AlgNone, HS256PublicKey, WrongHSSecret, KeyInsteadOfSecret, UnknownKid, MissingKid, StaleKey, EmbeddedKey,
		NoIDToken, AccessTokenAsIDToken,
		PlainInsteadOfEncrypted, UnsignedJWE, WrongJWEKey, ZippedJWE,
		TokenErrorIn200, TokenHTML, TokenHuge, TokenSlow, TokenAnswerSlow, InvalidTarget, Token500, Token429, TokenRedirect,
		InvalidGrant, InvalidClient, NoAccessToken, DoubleAccessToken, WrongTokenType,
		ExpiresInString, ExpiresInZero, NoExpiresIn, TokenTypeCase, RefreshNoIDToken, RefreshNoRotation, ResourceIgnored,
		RefreshOtherSub, RefreshLost, RefreshEmpty400,
		UserInfoWrongSub, UserInfoMissingSub, UserInfoHTML, UserInfoHuge, UserInfo401, UserInfo500,
		UserInfoRedirect,
		IntrospectionInactive, IntrospectionActiveString, IntrospectionNoActive, IntrospectionNoAud,
		IntrospectionWrongAud, IntrospectionWrongIss, IntrospectionExpired, IntrospectionRefreshToken,
		IntrospectionJWT, IntrospectionHTML, IntrospectionHuge, IntrospectionSlow, Introspection500,
		IntrospectionRedirect,
		RegistrationNoMethod, RegistrationSecretPost, RegistrationExpiredSecret, Registration500, RegistrationRedirect,
		JWKS500, JWKSSlow, JWKSHuge, JWKSEmpty,
		Discovery500, DiscoverySlow, DiscoveryHuge, DiscoveryHTML, DiscoveryRedirect,
		DiscoveryWrongIssuer, DiscoverySlashIssuer, DiscoveryPlainHTTP,
		NoIssParameter, NoUserInfo, NoEndSession, NoRevocation, NoIntrospection, NoRegistration,
		NoCheckSession, NoBackChannelLogout, NoFrontChannelLogout,
		EndSession500, Revocation500, LogoutWrongState, LogoutMissingState,
		LogoutTokenAlgNone, LogoutTokenWrongKey, LogoutTokenPlainType, LogoutTokenTwice,
	}
}
