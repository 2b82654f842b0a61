package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// testSecret is a different secret for each n.
func testSecret(n byte) string {
	sum := sha256.Sum256([]byte{'t', n})
	return hex.EncodeToString(sum[:])
}

func testSealer(t testing.TB, app string, secrets ...byte) *sealer {
	t.Helper()
	var texts []string
	for _, n := range secrets {
		texts = append(texts, testSecret(n))
	}
	s, err := newSealer(texts, app)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// forms are both forms of a sealed value.
func forms(t testing.TB, s *sealer, plain string) []string {
	t.Helper()
	sealed, err := s.seal(purposeSession, "name", []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	short, err := pack(sealed)
	if err != nil {
		t.Fatal(err)
	}
	return []string{sealed, short}
}

func TestV27SecretsRefused(t *testing.T) {
	for _, test := range []struct{ name, secret, reason string }{
		{"empty", "", "is the environment variable set"},
		{"31 bytes", testSecret(1)[:31], "at least 32"},
		{"zeros", strings.Repeat("\x00", 32), "repeats itself"},
		{"one letter", strings.Repeat("a", 64), "repeats itself"},
		{"changeme", strings.Repeat("changeme", 4), "repeats itself"},
		{"16 bytes twice", strings.Repeat(testSecret(1)[:16], 2), "repeats itself"},
		{"cut repetition", strings.Repeat("0123456789abc", 3), "repeats itself"},
		{"seven different bytes", "aabbccddeeffgaabbdccddeeffggbaccd", "fewer than 8"},
		{"alphabet", "abcdefghijklmnopqrstuvwxyz012345", "sequence"},
		{"alphabet backwards", "zyxwvutsrqponmlkjihgfedcba987654", "sequence"},
		{"placeholder", testSecret(1)[:40] + "Change-Me", "change-me"},
		{"secret", "this-is-my-very-secret-key-2026!", "secret"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newSealer([]string{testSecret(9), test.secret}, "app")
			if err == nil || !strings.Contains(err.Error(), test.reason) || !strings.Contains(err.Error(), "secret 2 of 2") {
				t.Fatalf("got %v, want secret 2 refused for %q", err, test.reason)
			}
			if !strings.Contains(err.Error(), "openssl rand") {
				t.Errorf("%v does not name the fix", err)
			}
			if len(test.secret) > 10 && strings.Contains(err.Error(), test.secret) {
				t.Errorf("%v quotes the secret", err)
			}
		})
	}
	if _, err := newSealer([]string{testSecret(1), testSecret(1)}, "app"); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("one secret twice: %v", err)
	}
}

func TestSecretsAccepted(t *testing.T) {
	random := sha256.Sum256([]byte("random"))
	for _, secret := range []string{
		testSecret(1)[:32], testSecret(1), string(random[:]),
		base64.StdEncoding.EncodeToString(random[:]), "correct horse battery staple, and a mule",
	} {
		if _, err := newSealer([]string{secret}, "app"); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

func TestRandomSecret(t *testing.T) {
	a, b := testSealer(t, "app"), testSealer(t, "app")
	sealed, err := a.seal(purposeSession, "name", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.open(purposeSession, "name", sealed); !errors.Is(err, errUnknownKey) {
		t.Errorf("opened under another random secret: %v", err)
	}
}

func TestSealLeavesPlainAlone(t *testing.T) {
	s := testSealer(t, "app", 1)
	for _, size := range []int{1, 2, 3, 15, 16, 17, 1000, 5000} {
		plain := bytes.Repeat([]byte("canary"), size)[:size]
		before := bytes.Clone(plain)
		one, err := s.seal(purposeSession, "name", plain)
		if err != nil {
			t.Fatal(err)
		}
		two, err := s.seal(purposeSession, "name", plain)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(plain, before) {
			t.Fatal("seal changed the bytes it was given")
		}
		if one == two {
			t.Error("two seals of the same bytes are equal")
		}
		short, err := pack(two)
		if err != nil {
			t.Fatal(err)
		}
		if len(short) != packedLength(size) {
			t.Errorf("%d bytes packed are %d, packedLength says %d", size, len(short), packedLength(size))
		}
		if strings.Trim(one+short, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=") != "" {
			t.Errorf("%.40q or %.40q has more than base64url", one, short)
		}
		if size >= 1000 && len(short) > len(one)*77/100 {
			t.Errorf("%d bytes packed are %d", len(one), len(short))
		}
		for _, sealed := range []string{one, two, short} {
			if got, err := s.open(purposeSession, "name", sealed); err != nil || !bytes.Equal(got, before) {
				t.Errorf("%d bytes: opened to %.20q, %v", size, got, err)
			}
		}
	}
	if _, err := s.seal(purposeSession, "name", nil); err == nil || !strings.Contains(err.Error(), "nothing to seal") {
		t.Errorf("sealed nothing: %v", err)
	}
}

// securecookie with a nil block key would have the plain text behind its time.
func TestV27Encrypted(t *testing.T) {
	plain := strings.Repeat("canary", 100)
	both := forms(t, testSealer(t, "app", 1), plain)
	text, err := base64.URLEncoding.DecodeString(both[0][keyIDLength+formLength:])
	if err != nil {
		t.Fatal(err)
	}
	inner := text[len("1234567890|") : len(text)-macLength-len("|")]
	encrypted, err := base64.URLEncoding.DecodeString(string(inner))
	if err != nil || len(encrypted) != 16+len(plain) {
		t.Fatalf("%d bytes, %v", len(encrypted), err)
	}
	if bytes.Contains(encrypted, []byte("cana")) {
		t.Error("a sealed value is readable")
	}
	packed, err := base64.RawURLEncoding.DecodeString(both[1][keyIDLength+formLength+prefixLength:])
	if err != nil || !bytes.Equal(packed, encrypted) {
		t.Errorf("the packed form has other bytes: %v", err)
	}
}

func TestSecretRotation(t *testing.T) {
	for _, test := range []struct {
		name         string
		seals, opens []byte
		want         error
	}{
		{"same secret", []byte{1}, []byte{1}, nil},
		{"new one first, old one behind", []byte{1}, []byte{2, 1}, nil},
		{"new one behind: first deploy", []byte{1, 2}, []byte{1}, nil},
		{"new one first, not yet everywhere", []byte{2, 1}, []byte{1}, errUnknownKey},
		{"new one first, known everywhere: second deploy", []byte{2, 1}, []byte{1, 2}, nil},
		{"old one removed", []byte{1}, []byte{2}, errUnknownKey},
		{"third of three", []byte{3}, []byte{1, 2, 3}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			sealed, err := testSealer(t, "app", test.seals...).seal(purposeSession, "name", []byte("plain"))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := testSealer(t, "app", test.opens...).open(purposeSession, "name", sealed)
			if !errors.Is(err, test.want) || err == nil && string(plain) != "plain" {
				t.Errorf("got %q, %v; want %v", plain, err, test.want)
			}
		})
	}
}

func TestV26PurposesNamesAndAppsAreApart(t *testing.T) {
	s := testSealer(t, "app", 1)
	sealed, err := s.seal(purposeSession, "name", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		sealer  *sealer
		purpose purpose
		cookie  string
		want    error
	}{
		{"as it was sealed", s, purposeSession, "name", nil},
		{"as seen", s, purposeSeen, "name", errUndecryptable},
		{"as login", s, purposeLogin, "name", errUndecryptable},
		{"other name", s, purposeSession, "name2", errUndecryptable},
		{"other case", s, purposeSession, "Name", errUndecryptable},
		// Another app with the same secret has other key IDs, too: its cookies
		// are nothing to us, and left alone.
		{"other app", testSealer(t, "app2", 1), purposeSession, "name", errUnknownKey},
	} {
		if _, err := test.sealer.open(test.purpose, test.cookie, sealed); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	// The same under the key ID of the other app: the keys differ, not only their IDs.
	other := testSealer(t, "app2", 1)
	forged := other.keys[0].id + sealed[keyIDLength:]
	if _, err := other.open(purposeSession, "name", forged); !errors.Is(err, errUndecryptable) {
		t.Errorf("a value of another app under our key ID: %v", err)
	}
}

func TestV27EveryBitOfASealedValue(t *testing.T) {
	s := testSealer(t, "app", 1)
	for size := 1; size <= 9; size++ { // all lengths of the last groups of base64
		for _, sealed := range forms(t, s, strings.Repeat("x", size)) {
			for i := range len(sealed) {
				for bit := range 8 {
					flipped := []byte(sealed)
					flipped[i] ^= 1 << bit
					want := errUndecryptable
					if i < keyIDLength {
						want = errUnknownKey
					}
					if _, err := s.open(purposeSession, "name", string(flipped)); !errors.Is(err, want) {
						t.Fatalf("byte %d of %d, bit %d: %v, want %v", i, len(sealed), bit, err, want)
					}
				}
			}
		}
	}
}

// Neither form has a second text, and neither is the other.
func TestV27OneTextForEachValue(t *testing.T) {
	s := testSealer(t, "app", 1)
	for size := 1; size <= 9; size++ {
		for _, sealed := range forms(t, s, strings.Repeat("x", size)) {
			for _, extra := range []string{"=", "==", "===", "====", "\r", "\n", "\r\n", "A", "AAAA", " ", "|", "\x00"} {
				for at := keyIDLength; at <= len(sealed); at++ {
					if _, err := s.open(purposeSession, "name", sealed[:at]+extra+sealed[at:]); !errors.Is(err, errUndecryptable) {
						t.Fatalf("%q put in at %d of %d: %v", extra, at, len(sealed), err)
					}
				}
			}
			for n := range len(sealed) {
				if _, err := s.open(purposeSession, "name", sealed[:n]); err == nil {
					t.Fatalf("the first %d of %d bytes open", n, len(sealed))
				}
			}
			for _, form := range "tpTP01" {
				other := sealed[:keyIDLength] + string(form) + sealed[keyIDLength+formLength:]
				if _, err := s.open(purposeSession, "name", other); other != sealed && !errors.Is(err, errUndecryptable) {
					t.Fatalf("as form %c: %v", form, err)
				}
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := testSealer(f, "app", 1)
	for _, sealed := range forms(f, s, "plain") {
		f.Add(sealed)
	}
	f.Add(s.keys[0].id)
	f.Add(s.keys[0].id + "p" + strings.Repeat("A", prefixLength+1))
	f.Add(s.keys[0].id + "t" + strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, value string) {
		plain, err := s.open(purposeSession, "name", value)
		if err == nil && string(plain) != "plain" {
			t.Fatalf("%q opens to %q", value, plain)
		}
		if err != nil && !errors.Is(err, errUnknownKey) && !errors.Is(err, errUndecryptable) {
			t.Fatalf("an error of another kind: %v", err)
		}
	})
}
