// Package jwtverify decides whether a token is what it says: it checks the
// signature and the claims of JSON Web Tokens from one issuer for one audience,
// and gives out a typed result or an error that says what to do next.
//
//	v := &jwtverify.Verifier{
//		Issuer:   "https://op.example.com",
//		Audience: "my-client-id",
//		Keys:     &jwtverify.RemoteKeys{URL: "https://op.example.com/jwks"},
//	}
//	token, err := v.IDToken(ctx, raw, jwtverify.Expect{Nonce: nonce})
//
// All tokens take one road: a bound on the size before anything is parsed, the
// encryption taken off where that was agreed on, the compact form and nothing else, a
// header read by exact member name, an algorithm from a list that the token cannot
// choose, a key that fits it, the signature, and only then the claims, in the order of
// the specification.
//
// The package stands alone: a service that only takes tokens needs nothing else of
// this module. A program that signs users in wants package client, which uses this
// one and cannot forget an expectation.
package jwtverify
