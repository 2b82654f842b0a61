package jwtverify_test

import (
	"context"
	"encoding/json"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// FuzzDPoPProof: of all texts there are, only what was signed is accepted, byte for
// byte (of ECDSA there are two signatures of it), and nothing panics.
func FuzzDPoPProof(f *testing.F) {
	signed := map[string]bool{}
	for _, v := range loadProofVectors(f) {
		f.Add(v.Proof)
		signed[v.Proof[:max(0, strings.LastIndexByte(v.Proof, '.'))]] = true // what of it is refused is for TestProofVectors to say
	}
	dpop := &jwtverify.DPoP{Now: atTestNow, Replay: &proofGuard{first: true}}
	wants := []jwtverify.ExpectProof{acceptedProof(f, "proof by EdDSA").Request.expect(), acceptedProof(f, "proof by ES256").Request.expect()}
	f.Fuzz(func(t *testing.T, proof string) {
		dpop.Replay.(*proofGuard).ids, dpop.Replay.(*proofGuard).until = nil, nil
		for _, want := range wants {
			err := dpop.Verify(t.Context(), proof, want)
			if err == nil && !signed[proof[:strings.LastIndexByte(proof, '.')]] {
				t.Fatalf("accepted %q", proof)
			}
			if err != nil && len(dpop.Replay.(*proofGuard).ids) != 0 {
				t.Fatalf("recorded, and refused with: %v", err)
			}
			dpop.Replay.(*proofGuard).ids = nil
		}
	})
}

// TestNoChangedByteOfAProofIsAccepted is FuzzDPoPProof for each single byte.
func TestNoChangedByteOfAProofIsAccepted(t *testing.T) {
	for _, name := range []string{"proof by EdDSA", "proof by ES256"} {
		v := acceptedProof(t, name)
		dpop, want := v.server(), v.Request.expect()
		for i := range v.Proof {
			for _, c := range []byte{v.Proof[i] ^ 1, v.Proof[i] ^ 0x20, '.', 'A', '=', '\n'} {
				if c == v.Proof[i] {
					continue
				}
				if err := dpop.Verify(t.Context(), v.Proof[:i]+string(rune(c))+v.Proof[i+1:], want); err == nil {
					t.Errorf("%s: accepted with %q for %q at %d", name, c, v.Proof[i], i)
				}
			}
			if err := dpop.Verify(t.Context(), v.Proof[:i]+v.Proof[i+1:], want); err == nil {
				t.Errorf("%s: accepted without byte %d", name, i)
			}
		}
		if err := dpop.Verify(t.Context(), v.Proof, want); err != nil {
			t.Errorf("%s: not accepted as it is: %v", name, err)
		}
	}
}

// FuzzProofURL: two URLs that are taken for one are one to net/url as well: the same
// scheme, host and port, and the same path once it is decoded and has no dots.
func FuzzProofURL(f *testing.F) {
	for _, v := range loadProofVectors(f) {
		var claims struct{ HTU string }
		if json.Unmarshal([]byte(v.Payload), &claims) == nil {
			f.Add(v.Request.URL, claims.HTU)
		}
	}
	want := proved(f)
	f.Fuzz(func(t *testing.T, request, htu string) {
		text, err := json.Marshal(htu)
		if err != nil {
			t.Fatal(err)
		}
		dpop := &jwtverify.DPoP{Now: atTestNow}
		want := want
		want.URL = request
		if dpop.Verify(context.Background(), prove(t, member{"htu", string(text)}), want) != nil {
			return
		}
		a, b := plainURL(t, request), plainURL(t, htu)
		if a != b {
			t.Fatalf("%q is taken for %q: %q and %q", htu, request, b, a)
		}
	})
}

// plainURL is what net/url makes of a URL, in a form that can be compared.
func plainURL(t *testing.T, raw string) [4]string {
	raw, _, _ = strings.Cut(raw, "?")
	raw, _, _ = strings.Cut(raw, "#")
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatalf("taken for a URL: %v", err)
	}
	if u.User != nil || u.Host == "" || u.Opaque != "" {
		t.Fatalf("taken for a URL: %q", raw)
	}
	port := u.Port()
	if port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		port = ""
	}
	return [4]string{u.Scheme, strings.ToLower(u.Hostname()), port, path.Clean("/" + u.Path)}
}
