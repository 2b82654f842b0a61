package jwtverify_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// A list from which an application has struck everything demands what nothing fits.
func TestEmptyACRIsADemand(t *testing.T) {
	now := time.Now().Unix()
	raw := mint(t, "p256", "ES256", `{"alg":"ES256"}`,
		fmt.Sprintf(`{"iss":"https://op.example.com","aud":"web","sub":"alice","acr":"1","iat":%d,"exp":%d}`, now, now+300))
	v := &jwtverify.Verifier{Issuer: "https://op.example.com", Audience: "web",
		Keys: jwtverify.StaticKeys(jwtverify.Key{Public: publicKey(t, "p256")})}
	if _, err := v.IDToken(context.Background(), raw, jwtverify.Expect{}); err != nil {
		t.Fatalf("without a demand: %v", err)
	}
	_, err := v.IDToken(context.Background(), raw, jwtverify.Expect{ACR: []string{}})
	var claim *jwtverify.ClaimError
	if !errors.As(err, &claim) || claim.Claim != "acr" || !errors.Is(err, jwtverify.ErrInvalid) {
		t.Errorf("got %v, want acr refused", err)
	}
}
