package pkce_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/postern-go/postern/pkce"
)

// RFC 7636 appendix B.
func TestAppendixB(t *testing.T) {
	v, err := pkce.Parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.Challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; got != want {
		t.Errorf("challenge = %q, want %q", got, want)
	}
	if pkce.Method != "S256" {
		t.Errorf("Method = %q", pkce.Method)
	}
}

func TestNew(t *testing.T) {
	seen := make(map[pkce.Verifier]bool)
	for range 1000 {
		v := pkce.New()
		if seen[v] {
			t.Fatal("the same verifier twice")
		}
		seen[v] = true
		if _, err := pkce.Parse(string(v)); err != nil {
			t.Fatalf("New made what Parse refuses: %v", err)
		}
		if len(v) != 43 {
			t.Fatalf("length %d, want 43: 256 bits in base64url", len(v))
		}
	}
}

func TestParse(t *testing.T) {
	good := strings.Repeat("a", 43)
	for _, tt := range []struct {
		name, in, reason string // an empty reason: accepted
	}{
		{"shortest", good, ""},
		{"longest", strings.Repeat("Z", 128), ""},
		{"whole alphabet", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", ""},
		{"empty", "", "43 to 128 characters, not 0"},
		{"one too short", good[1:], "43 to 128 characters, not 42"},
		{"one too long", strings.Repeat("Z", 129), "43 to 128 characters, not 129"},
		{"padding", good + "=", "letters, digits"},
		{"plus", good + "+", "letters, digits"},
		{"slash", good + "/", "letters, digits"},
		{"space", good + " ", "letters, digits"},
		{"new line", good + "\n", "letters, digits"},
		{"beyond ASCII", good + "é", "letters, digits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := pkce.Parse(tt.in)
			if tt.reason == "" {
				if err != nil || string(v) != tt.in {
					t.Fatalf("Parse = %q, %v; want it unchanged", string(v), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Fatalf("error %v, want one with %q", err, tt.reason)
			}
			if v != "" {
				t.Error("a verifier beside an error")
			}
			if len(tt.in) > 10 && strings.Contains(err.Error(), tt.in[:10]) {
				t.Error("the error shows the verifier")
			}
		})
	}
}

func TestRedaction(t *testing.T) {
	v := pkce.New()
	inside := struct {
		V pkce.Verifier
		P *pkce.Verifier
	}{v, &v}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "v", v, "inside", inside)
	}
	encoded, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%10.3f"} {
		fmt.Fprintf(&log, verb+" "+verb+"\n", v, inside)
	}
	if strings.Contains(log.String(), string(v)) || strings.Contains(log.String(), fmt.Sprintf("%x", string(v))) {
		t.Errorf("the verifier is printed:\n%s", log.String())
	}
	if !strings.Contains(log.String(), "[redacted]") {
		t.Error("nothing was printed at all")
	}
}

// What New makes is 43 characters of the unreserved alphabet, and what Parse
// accepts has a challenge of the same form.
func FuzzParse(f *testing.F) {
	f.Add("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	f.Add(strings.Repeat("~", 128))
	f.Add(strings.Repeat("%", 43))
	f.Fuzz(func(t *testing.T, s string) {
		v, err := pkce.Parse(s)
		if err != nil {
			if v != "" {
				t.Fatal("a verifier beside an error")
			}
			return
		}
		if string(v) != s {
			t.Fatal("Parse changed the verifier")
		}
		if _, err := pkce.Parse(v.Challenge()); err != nil {
			t.Fatalf("challenge %q: %v", v.Challenge(), err)
		}
	})
}

func Example() {
	v := pkce.New() // keep it; send its challenge
	fmt.Println(len(v.Challenge()), pkce.Method, v)
	// Output: 43 S256 [redacted]
}
