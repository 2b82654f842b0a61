// Package jwtverify decides whether a token is what it says: it checks the
// signature and the claims of JSON Web Tokens from one issuer for one audience,
// and gives out a typed result or an error that says what to do next. On top of that,
// [Bearer] protects an API.
//
//	v := &jwtverify.Verifier{
//		Issuer:   "https://op.example.com",
//		Audience: "my-client-id",
//		Keys:     &jwtverify.RemoteKeys{URL: "https://op.example.com/jwks"},
//	}
//	token, err := v.IDToken(ctx, raw, jwtverify.Expect{Nonce: nonce})
//
// What there is, in the order in which to read it:
//
//   - [Verifier.IDToken]: who has signed in. [Expect] is what the one who asked for the
//     token knows.
//   - [Verifier.AccessToken]: who may do what at an API. Most providers need
//     [Verifier].AccessTokenTypes and some [Verifier].AudienceClaim.
//   - [Verifier.LogoutToken]: whose session has ended. A [ReplayGuard], for one process a
//     [ReplayCache], knows which tokens were there before.
//   - [Issuers]: the same for several issuers; [Verifier].Tenants for those of Entra.
//   - [Cache]: access tokens that come again and again.
//   - [Bearer]: the handler that an API stands behind, with scopes and a [Rule] for the rest.
//     It takes what implements [AccessTokenVerifier]; client.Introspector does it for tokens
//     that are no JWTs.
//   - [DPoP]: tokens that only the holder of a key can use; a field of Bearer, and usable
//     without it.
//   - [StandardClaims] and [Decode], Claim and Texts of a token: what else it says.
//   - [Verifier].Decrypt: tokens that come encrypted.
//
// Rarer: [Verifier.Introspection], [Verifier.UserInfo], [Verifier.AuthorizationResponse]
// and [Verifier.SourceClaims] verify what is no token of these kinds, but comes beside them.
//
// # The road of a token
//
// All tokens take one road: a bound on the size before anything is parsed, the
// encryption taken off where that was agreed on, the compact form and nothing else, a
// header read by exact member name, an algorithm from a list that the token cannot
// choose, a key that fits it, the signature, and only then the claims, in the order of
// the specification. On an error there is no token, and errors.Is tells what to do:
// [ErrExpired], get another one; [ErrInvalid], reject it; [ErrKeys], try later.
//
// The package stands alone: a service that only takes tokens needs nothing else of
// this module. A program that signs users in wants package client, which uses this
// one and cannot forget an expectation.
package jwtverify
