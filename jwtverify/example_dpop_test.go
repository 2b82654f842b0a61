package jwtverify_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func ExampleDPoP_Verify() {
	dpop := &jwtverify.DPoP{
		Now: func() time.Time { return time.Unix(1562262618, 0) }, // the time of the example
	}
	// AccessToken and JKT are of an access token that is verified already.
	want := jwtverify.ExpectProof{
		Method:      "GET",
		URL:         "https://resource.example.org/protectedresource",
		AccessToken: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
		JKT:         "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
	}
	proof := rfcProof // the header DPoP of the request: RFC 9449, figure 13
	fmt.Println(dpop.Verify(context.Background(), proof, want))
	fmt.Println(dpop.Verify(context.Background(), proof, want))
	// Output:
	// <nil>
	// jwtverify: DPoP proof: token invalid: jti was used before
}

func ExampleDPoP_Nonce() {
	dpop := &jwtverify.DPoP{
		RequireNonce: true, // NonceSecret, too, where there are several replicas
		Now:          func() time.Time { return time.Unix(1562262618, 0) },
	}
	err := dpop.Verify(context.Background(), rfcProof, rfcRequest.expect())
	switch {
	case errors.Is(err, jwtverify.ErrNonce):
		fmt.Printf("401, use_dpop_nonce, and a nonce of %d characters\n", len(dpop.Nonce()))
	case errors.Is(err, jwtverify.ErrInvalid):
		fmt.Println("401, invalid_dpop_proof")
	case errors.Is(err, jwtverify.ErrKeys):
		fmt.Println("503, nobody knows whether the proof was used before")
	}
	// Output: 401, use_dpop_nonce, and a nonce of 43 characters
}

func ExampleKey_Thumbprint() {
	keys, err := jwtverify.ParseJWKS([]byte(`{"keys":[
		{"kty":"OKP","crv":"Ed25519","kid":"any","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
	]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(keys[0].Thumbprint())
	// Output: kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k <nil>
}

func ExampleReplayCache() {
	var used jwtverify.ReplayCache
	for range 2 {
		first, err := used.Use(context.Background(), "some jti", time.Now().Add(time.Minute))
		fmt.Println(first, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}
