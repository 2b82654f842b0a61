package jwtverify_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// lowOrder are encodings of the points of Ed25519 whose order divides 8.
var lowOrder = map[string]string{
	"a key of zeros":                   strings.Repeat("\x00", 32),
	"a key of zeros with the sign set": strings.Repeat("\x00", 31) + "\x80",
	"the neutral element":              "\x01" + strings.Repeat("\x00", 31),
	"the neutral element, sign set":    "\x01" + strings.Repeat("\x00", 30) + "\x80",
	"order 2":                          "\xec" + strings.Repeat("\xff", 30) + "\x7f",
	"order 4, not reduced":             "\xed" + strings.Repeat("\xff", 30) + "\x7f",
	"the neutral element, not reduced": "\xee" + strings.Repeat("\xff", 30) + "\x7f",
	"one of order 8":                   unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	"one of order 8, sign set":         unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
	"another one of order 8":           unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
	"another one of order 8, sign set": unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
}

func unhex(s string) string {
	n, _ := new(big.Int).SetString(s, 16)
	return string(n.FillBytes(make([]byte, 32)))
}

// Everything in the list is a real danger: with no private key at all, the standard
// library takes a signature by it.
func TestKeysOfSmallOrderLetAnybodySign(t *testing.T) {
	forgery := append([]byte{1}, make([]byte, 63)...) // R the neutral element, S zero
	for name, x := range lowOrder {
		t.Run(name, func(t *testing.T) {
			signs := func() bool {
				for i := range 200 { // one message in eight will do
					if ed25519.Verify(ed25519.PublicKey(x), fmt.Append(nil, i), forgery) {
						return true
					}
				}
				return false
			}
			if !signs() {
				t.Fatal("no forgery verifies, so the key need not be refused")
			}
			key := jwtverify.Key{Public: ed25519.PublicKey(x)}
			checkRefusal(t, key.VerifySignature("EdDSA", []byte("a.b"), forgery), "invalid", "", "point of small order")
		})
	}
}

func TestWhyAKeyIsSkipped(t *testing.T) {
	k := func(name string, members ...member) string { return jwk(t, name, members...) }
	text := func(s string) string { return `"` + s + `"` }
	odd := "\xff" + strings.Repeat("\xff", 255)
	for _, c := range []struct{ name, key, reason string }{
		{"null", `null`, "not a JSON object"},
		{"a string", `"rsa"`, "not a JSON object"},
		{"an array", `[` + k("rsa") + `]`, "not a JSON object"},
		{"an empty object", `{}`, "missing json web key type"},
		{"kty a number", k("rsa", member{"kty", "7"}), "cannot unmarshal number"},
		{"kty unknown", k("rsa", member{"kty", `"XYZ"`}), "unsupported key type"},
		{"kty in lower case", k("rsa", member{"kty", `"rsa"`}), "unsupported key type"},
		{"kty of another type", k("rsa", member{"kty", `"EC"`}), "unsupported elliptic curve"},
		{"KTY", strings.Replace(k("rsa"), `"kty"`, `"KTY"`, 1), `member "KTY" is not "kty"`},
		{"a member twice", strings.Replace(k("rsa"), `{`, `{"kty":"RSA",`, 1), "duplicate member"},
		{"a shared secret", `{"kty":"oct","kid":"rsa","k":"c2VjcmV0"}`, "private keys"},
		{"a shared secret without it", `{"kty":"oct","kid":"rsa"}`, "invalid OCT"},
		{"DSA", `{"kty":"DSA","kid":"rsa","y":"AAAA","g":"AAAA"}`, "unsupported key type"},
		{"ML-DSA", `{"kty":"AKP","kid":"rsa","alg":"ML-DSA-44","pub":"` + strings.Repeat("A", 1750) + `"}`, "alg is no signature algorithm"},
		{"ML-DSA without alg", `{"kty":"AKP","kid":"rsa","pub":"AAAA"}`, "go-jose"},
		{"secp256k1", `{"kty":"EC","crv":"secp256k1","x":"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g","y":"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg"}`, "unsupported elliptic curve"},
		{"P-224", `{"kty":"EC","crv":"P-224","x":"AAAA","y":"AAAA"}`, "unsupported elliptic curve"},
		{"X25519", `{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "unsupported key type"},
		{"Ed448", `{"kty":"OKP","crv":"Ed448","x":"X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA"}`, "unsupported key type"},
		{"Ed25519 one byte short", k("ed25519", member{"x", text(b64(odd[:31]))}), "wrong length for x"},
		{"Ed25519 of zeros", k("ed25519", member{"x", text(b64(strings.Repeat("\x00", 32)))}), "low-order point"},
		{"for encryption", k("rsa", member{"use", `"enc"`}), "use is not sig"},
		{"for other operations", k("rsa", member{"key_ops", `["sign"]`}), "key_ops has no verify"},
		{"for encryption by alg", k("rsa", member{"alg", `"RSA-OAEP-256"`}), "alg is no signature algorithm"},
		{"for a shared secret", k("rsa", member{"alg", `"HS256"`}), ""},
		{"for another type of key", k("rsa", member{"alg", `"ES256"`}), "does not fit"},
		{"for another curve", k("p256", member{"alg", `"ES384"`}), "does not fit"},
		{"a private RSA key", privateJWK(&vectorWriter{t: t}, "rsa"), "private keys"},
		{"a private Ed25519 key", privateJWK(&vectorWriter{t: t}, "ed25519"), "private keys"},
		{"a seed of ML-DSA", k("rsa", member{"priv", `"AAAA"`}), "private keys"},
		{"other primes", k("rsa", member{"oth", `[]`}), "private keys"},
		{"kid a number", k("rsa", member{"kid", "7"}), "kid is not a string"},
		{"kid an array", k("rsa", member{"kid", `["rsa"]`}), "kid is not a string"},
		{"kid of 100 KB", k("rsa", member{"kid", text(strings.Repeat("k", 100<<10))}), "kid is not a string of at most 512 bytes"},
		{"kid of 513 bytes", k("rsa", member{"kid", text(strings.Repeat("k", 513))}), "kid is not a string of at most 512 bytes"},
		{"issuer an object", k("rsa", member{"issuer", `{}`}), "issuer is not a string"},
		{"issuer of 100 KB", k("rsa", member{"issuer", text(strings.Repeat("i", 100<<10))}), "issuer is not a string of at most 2048 bytes"},
		{"Issuer", k("rsa", member{"Issuer", `"x"`}), `member "Issuer" is not "issuer"`},
		{"RSA of 1024 bits", k("rsa-1024"), "fewer than 2048 bits"},
		{"RSA of 2047 bits", k("rsa", member{"n", text(b64("\x7f" + odd[1:]))}), "fewer than 2048 bits"},
		{"RSA of 4104 bits", k("rsa", member{"n", text(b64(strings.Repeat("\xff", 513)))}), "modulus too large"},
		{"RSA of 16384 bits", k("rsa", member{"n", text(b64(strings.Repeat("\xff", 2048)))}), "n is longer than 2048 bytes"},
		{"RSA with a modulus of 700 KB", k("rsa", member{"n", text(strings.Repeat("_", 700<<10))}), "n is longer than 2048 bytes"},
		{"RSA with an even modulus", k("rsa", member{"n", text(b64(odd[:255] + "\xfe"))}), "no RSA key has"},
		{"RSA without exponent", k("rsa", member{"e", ""}), "missing n/e"},
		{"e = 0", k("rsa", member{"e", `"AA"`}), "bad e value"},
		{"e = 1", k("rsa", member{"e", `"AQ"`}), "bad e value"},
		{"e = 2", k("rsa", member{"e", `"Ag"`}), "no RSA key has"},
		{"e = 65538", k("rsa", member{"e", `"AQAC"`}), "no RSA key has"},
		{"e = 2^31+1", k("rsa", member{"e", `"gAAAAQ"`}), "e"},
		{"e = 2^64+65537, which some read as 65537", k("rsa", member{"e", `"AQAAAAAAAQAB"`}), "bad e value"},
		{"e of 100 KB", k("rsa", member{"e", text(strings.Repeat("_", 100<<10))}), "e is longer than 2048 bytes"},
		{"n with padding", k("rsa", member{"n", text(b64(odd) + "==")}), "illegal base64"},
		{"n in standard base64", k("rsa", member{"n", text("+/" + b64(odd)[2:])}), "illegal base64"},
		{"n a number", k("rsa", member{"n", "7"}), "cannot unmarshal number"},
		{"a point not on its curve", k("p256", member{"y", jwkMember(k("p256"), "x")}), "not on declared curve"},
		{"a point at infinity", k("p256", member{"x", text(b64(strings.Repeat("\x00", 32)))}, member{"y", text(b64(strings.Repeat("\x00", 32)))}), "not on declared curve"},
		{"a coordinate beyond the field", k("p256", member{"x", text(b64(strings.Repeat("\xff", 32)))}), "not on declared curve"},
		{"a point of another curve", k("p256", member{"crv", `"P-384"`}), "wrong length for x"},
		{"a coordinate with a zero in front", k("p256", member{"x", text(b64("\x00" + unb64(strings.Trim(jwkMember(k("p256"), "x"), `"`))))}), "wrong length for x"},
		{"a compressed point", k("p256", member{"y", ""}), "missing x/y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := jwtverify.WhySkipped(c.key)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("skipped because of %v, want %q", err, c.reason)
			}
			// And whatever it is, it hides no key before or after it.
			if strings.Contains(c.name, "twice") {
				return // which no set may have at all, see TestParseJWKSRefusesWhatIsNoSet
			}
			keys, err := jwtverify.ParseJWKS([]byte(jwks(jwk(t, "p256"), c.key, jwk(t, "rsa"))))
			if err != nil || len(keys) != 2 || keys[0].ID != "p256" || keys[1].ID != "rsa" {
				t.Errorf("kept %v, %v", keys, err)
			}
		})
	}
}

// What stands beside the key and is not the key takes none away.
func TestKeysThatAreKept(t *testing.T) {
	k := func(members ...member) string { return jwk(t, "rsa", members...) }
	chain := func(n int) string {
		cert := base64.StdEncoding.EncodeToString(certificate(t))
		return `["` + strings.Join(slices.Repeat([]string{cert}, n), `","`) + `"]`
	}
	for name, key := range map[string]string{
		"alone":                           k(),
		"a certificate of another key":    k(member{"x5c", chain(1)}),
		"a hundred certificates":          k(member{"x5c", chain(100)}),
		"a certificate of garbage":        k(member{"x5c", `["AAAA", 7, null]`}),
		"x5c no array":                    k(member{"x5c", `"AAAA"`}),
		"thumbprints of nothing":          k(member{"x5t", `"AAAA"`}, member{"x5t#S256", `"%%%"`}),
		"x5u no URL":                      k(member{"x5u", `"::"`}),
		"null and empty":                  k(member{"d", "null"}, member{"use", `""`}, member{"alg", `null`}, member{"issuer", `null`}, member{"key_ops", `null`}),
		"members nobody knows":            k(member{"nbf", "1"}, member{"ext", "true"}, member{"keys", `[{}]`}),
		"members of other types":          k(member{"crv", `"P-256"`}, member{"x", `"AAAA"`}, member{"y", `"AAAA"`}),
		"use by an escape":                k(member{"use", `"\u0073ig"`}),
		"a modulus with a zero in front":  k(member{"n", `"` + b64("\x00"+unb64(strings.Trim(jwkMember(k(), "n"), `"`))) + `"`}),
		"more operations than verify":     k(member{"key_ops", `["sign","verify"]`}),
		"a kid that no encoding survives": k(member{"kid", `"rsa"`}),
	} {
		t.Run(name, func(t *testing.T) {
			if err := jwtverify.WhySkipped(key); err != nil {
				t.Fatal(err)
			}
			keys, err := jwtverify.ParseJWKS([]byte(jwks(key)))
			if err != nil || len(keys) != 1 || keys[0].ID != "rsa" || keys[0].Algorithm != "" || !publicKey(t, "rsa").(*rsa.PublicKey).Equal(keys[0].Public) {
				t.Errorf("kept %v, %v", keys, err)
			}
		})
	}
}

// certificate is one that says what none should say: that of rsa-other with a negative
// serial number, which crypto/x509 does not read back.
func certificate(t *testing.T) []byte {
	t.Helper()
	key := testKeys(t)["rsa-other"].Key.(*rsa.PrivateKey)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(der, []byte{2, 1, 1}) // INTEGER 1, the serial number
	der[at+2] = 0xff
	if _, err := x509.ParseCertificate(der); err == nil {
		t.Fatal("crypto/x509 reads a negative serial number")
	}
	return der
}

// Keys that no JWK set brings can come from a KeySet of somebody else's.
func TestNumbersNoRSAKeyHas(t *testing.T) {
	good := publicKey(t, "rsa").(*rsa.PublicKey)
	sig := sign(t, testKeys(t)["rsa"].Key, "RS256", "a.b")
	if err := (jwtverify.Key{Public: good}).VerifySignature("RS256", []byte("a.b"), sig); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*rsa.PublicKey{
		"e = -3":                {N: good.N, E: -3},
		"e = 1":                 {N: good.N, E: 1},
		"e = 2":                 {N: good.N, E: 2},
		"e = 65538":             {N: good.N, E: 65538},
		"a modulus less by one": {N: new(big.Int).Sub(good.N, big.NewInt(1)), E: good.E},
	} {
		t.Run(name, func(t *testing.T) {
			err := jwtverify.Key{Public: key}.VerifySignature("RS256", []byte("a.b"), sig)
			checkRefusal(t, err, "invalid", "", "no RSA key has")
		})
	}
}

// The order of keys that bear one kid decides nothing.
func TestSameKidInAnyOrder(t *testing.T) {
	k := func(name string, members ...member) string {
		return jwk(t, name, append(members, member{"kid", `"k"`})...)
	}
	set := []string{
		k("rsa"), k("rsa-other"), k("p256"), k("ed25519"), k("rsa-1024"), k("rsa-other", member{"use", `"enc"`}),
	}
	tokens := map[string]string{}
	for name, alg := range map[string]string{"rsa": "RS256", "p256": "ES256", "ed25519": "EdDSA"} {
		tokens[alg] = mint(t, name, alg, `{"alg":"`+alg+`","kid":"k"}`, benchClaims)
	}
	forged := mint(t, "rsa-1024", "RS256", `{"alg":"RS256","kid":"k"}`, benchClaims)
	v, _, want := benchToken(t, "RS256", "rsa", 0)
	orders := 0
	permute(set, func(order []string) {
		orders++
		keys, err := jwtverify.ParseJWKS([]byte(jwks(order...)))
		if err != nil {
			t.Fatal(err)
		}
		v.Keys = jwtverify.StaticKeys(keys...)
		for alg, raw := range tokens {
			if _, err := v.IDToken(t.Context(), raw, want); err != nil {
				t.Errorf("%s: %v", alg, err)
			}
		}
		if _, err := v.IDToken(t.Context(), forged, want); err == nil {
			t.Error("accepted what a weak key signed")
		}
	})
	if orders != 720 {
		t.Errorf("%d orders", orders)
	}
}

// permute calls f with every order of list.
func permute(list []string, f func([]string)) {
	var from func(i int)
	from = func(i int) {
		if i == len(list) {
			f(list)
			return
		}
		for j := i; j < len(list); j++ {
			list[i], list[j] = list[j], list[i]
			from(i + 1)
			list[i], list[j] = list[j], list[i]
		}
	}
	from(0)
}

// Weak keys are not tried and hide nothing, also where a KeySet is somebody else's.
func TestWeakKeysDoNotCount(t *testing.T) {
	v, raw, want := benchToken(t, "RS256", "rsa", 0)
	weak := jwtverify.Key{ID: "rsa", Public: publicKey(t, "rsa-1024")}
	keys := slices.Repeat([]jwtverify.Key{weak}, 300)
	v.Keys = jwtverify.StaticKeys(append(keys, jwtverify.Key{ID: "rsa", Public: publicKey(t, "rsa")})...)
	if _, err := v.IDToken(t.Context(), raw, want); err != nil {
		t.Error(err)
	}
	v.Keys = jwtverify.StaticKeys(keys...)
	_, err := v.IDToken(t.Context(), raw, want)
	checkRefusal(t, err, "invalid", "", "fewer than 2048 bits")
}

// TestDecoysCostEightChecks: a check of a signature allocates, so allocations tell how
// many there were.
func TestDecoysCostEightChecks(t *testing.T) {
	v, raw, want := benchToken(t, "RS256", "rsa", 0)
	cost := func(decoys int) float64 {
		list := slices.Repeat([]string{jwk(t, "rsa-other", member{"kid", `"rsa"`})}, decoys)
		keys, err := jwtverify.ParseJWKS([]byte(jwks(list...)))
		if err != nil {
			t.Fatal(err)
		}
		v.Keys = jwtverify.StaticKeys(keys...)
		return testing.AllocsPerRun(20, func() {
			_, err = v.IDToken(t.Context(), raw, want)
			if err == nil || !strings.Contains(err.Error(), "signature does not verify") {
				t.Fatal(err)
			}
		})
	}
	one, two, eight, many := cost(1), cost(2), cost(8), cost(300)
	if two <= one || eight <= two {
		t.Errorf("allocations do not count checks: %v for 1, %v for 2, %v for 8", one, two, eight)
	}
	if many >= eight+(two-one) { // -race adds some, but not those of a ninth check
		t.Errorf("%v allocations with 300 decoys, and %v with 8", many, eight)
	}
}

// TestHostileSetsCostTheirSize: whatever a set holds, to read it takes memory in
// proportion to its size, at most 1 MiB, and what is kept of it does not keep the set.
func TestHostileSetsCostTheirSize(t *testing.T) {
	off := jwk(t, "p521", member{"y", jwkMember(jwk(t, "p521"), "x")})
	cert := base64.StdEncoding.EncodeToString(certificate(t))
	for name, one := range map[string]string{
		"null":                       `null`,
		"empty objects":              `{}`,
		"keys without a number":      `{"kty":"RSA"}`,
		"keys of another kind":       `{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}`,
		"points off their curve":     off,
		"certificates":               jwk(t, "rsa-1024", member{"x5c", `["` + strings.Join(slices.Repeat([]string{cert}, 100), `","`) + `"]`}),
		"moduli of 16384 bits":       jwk(t, "rsa", member{"n", `"` + b64(strings.Repeat("\xff", 2048)) + `"`}),
		"kids of 100 KB":             jwk(t, "ed25519", member{"kid", `"` + strings.Repeat("k", 100<<10) + `"`}),
		"members nobody knows":       `{` + manyMembers(10000) + `}`,
		"a string":                   `"` + strings.Repeat("a", 1000<<10) + `"`,
		"good keys":                  jwk(t, "ed25519"),
		"good keys with much beside": jwk(t, "ed25519", member{"note", `"` + strings.Repeat("a", 10<<10) + `"`}),
	} {
		t.Run(name, func(t *testing.T) {
			n := (1<<20 - 20) / (len(one) + 1)
			set := []byte(jwks(slices.Repeat([]string{one}, n)...))
			keys, parsed, kept := measure(t, set)
			if good := strings.HasPrefix(name, "good"); good != (len(keys) > 0) || len(keys) > 256 {
				t.Errorf("kept %d of %d", len(keys), n)
			}
			if parsed > 32<<20 { // an object of many members is the dearest: each has its name
				t.Errorf("%d bytes allocated for a set of %d", parsed, len(set))
			}
			if kept > 256<<10 {
				t.Errorf("%d bytes kept of %d keys", kept, len(keys))
			}
			t.Logf("%d keys, %d bytes allocated, %d kept", len(keys), parsed, kept)
		})
	}
}

// measure tells what parsing a set allocates, and what is left when it is done.
func measure(t *testing.T, set []byte) (keys []jwtverify.Key, parsed, kept int64) {
	t.Helper()
	var before, after, settled runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	keys, err := jwtverify.ParseJWKS(set)
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&settled)
	if err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(set)
	return keys, int64(after.TotalAlloc - before.TotalAlloc), int64(settled.HeapAlloc) - int64(before.HeapAlloc)
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":0,`, i)
	}
	return b.String() + `"kty":"RSA"`
}

// A hostile set is still a set: ten thousand keys, and the good one among the first.
func TestTenThousandKeys(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    int
		found bool
	}{{"first", 0, true}, {"number 1,024", 1023, true}, {"number 1,025", 1024, false}, {"last", 9999, false}} {
		t.Run(c.name, func(t *testing.T) {
			set := slices.Repeat([]string{`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}`}, 10000)
			set[c.at] = jwk(t, "rsa")
			keys, err := jwtverify.ParseJWKS([]byte(jwks(set...)))
			if err != nil || (len(keys) == 1) != c.found {
				t.Errorf("%d keys, %v", len(keys), err)
			}
		})
	}
}

// TestEntraKeys reads a set as Microsoft describes it.
func TestEntraKeys(t *testing.T) {
	sum := sha256.Sum256([]byte("x"))
	keys, err := jwtverify.ParseJWKS([]byte(jwks(
		jwk(t, "rsa", member{"use", `"sig"`}, member{"x5t", `"` + b64(string(sum[:20])) + `"`}, member{"x5c", `["MIID"]`}, member{"issuer", `"` + entraTemplate + `"`}),
		jwk(t, "rsa-other", member{"issuer", `"` + entraIssuer(consumers) + `"`}),
	)))
	if err != nil || len(keys) != 2 || keys[0].Issuer != entraTemplate || keys[1].Issuer != entraIssuer(consumers) {
		t.Errorf("read %+v, %v", keys, err)
	}
	if text, err := json.Marshal(keys[0].Issuer); err != nil || !strings.Contains(string(text), "{tenantid}") {
		t.Errorf("%s, %v", text, err)
	}
}
