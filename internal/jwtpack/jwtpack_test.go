package jwtpack

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// tokens are of every shape that a provider or an attacker might send.
var tokens = []string{
	"", ".", "..", "...", "....", ".....", "......", "a", "ab", "abc", "abcd", "a.b.c",
	"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAECAw",
	"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAECAx", // trailing bits that are not zero
	"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAECAw==",
	"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAEC\nAw",
	"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAECAw\r\n",
	"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AA+/Aw",
	"eyJhbGciOiJSU0EtT0FFUCJ9.AAECAw.AAECAw.AAECAw.AAECAw",
	"ya29.a0AfB_byC-opaque", "\x00\xff not a token \u00e4", strings.Repeat("A", 20000),
}

func TestEveryStringComesBack(t *testing.T) {
	for _, token := range tokens {
		check(t, token)
	}
}

func FuzzLossless(f *testing.F) {
	for _, token := range tokens {
		f.Add(token)
	}
	f.Fuzz(check)
}

func check(t *testing.T, token string) {
	packed := Append([]byte("before"), token)
	if !bytes.HasPrefix(packed, []byte("before")) {
		t.Fatalf("Append changed what it appends to: %q", packed)
	}
	packed = append(packed[len("before"):], "after"...)
	got, rest, err := Cut(packed)
	if err != nil || got != token || string(rest) != "after" {
		t.Fatalf("Cut = %q, %q, %v; want %q, %q", got, rest, err, token, "after")
	}
	if got := Pack(token).Token(); got != token {
		t.Fatalf("Pack(%q).Token() = %q", token, got)
	}
}

func FuzzCut(f *testing.F) {
	for _, token := range tokens {
		f.Add(Append(nil, token))
	}
	f.Add([]byte{})
	f.Add([]byte{3, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{200})
	f.Fuzz(func(t *testing.T, data []byte) {
		token, rest, err := Cut(data)
		if err != nil {
			if token != "" || rest != nil {
				t.Fatalf("results beside an error: %q, %q", token, rest)
			}
			return
		}
		if !bytes.HasSuffix(data, rest) || len(rest) >= len(data) {
			t.Fatalf("Cut(%x) left %x", data, rest)
		}
		check(t, token)
	})
}

func TestCutRefusesDamage(t *testing.T) {
	whole := Append(nil, "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAECAw")
	for n := range whole {
		if _, _, err := Cut(whole[:n]); err == nil {
			t.Errorf("accepted the first %d of %d bytes", n, len(whole))
		}
	}
	if _, _, err := Cut([]byte{maxSegments + 1, 0, 0, 0, 0, 0, 0}); err == nil {
		t.Error("accepted more segments than a token has")
	}
	if _, _, err := Cut([]byte{0, 0x80, 0x80, 0x80, 0x80, 0x00}); err == nil {
		t.Error("accepted a length of five bytes")
	}
}

func TestPackedIsSmaller(t *testing.T) {
	token := "eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(make([]byte, 600)) + ".AAECAw"
	if got := len(Pack(token)); got*4 > len(token)*3+32 {
		t.Errorf("%d bytes packed for a token of %d", got, len(token))
	}
}

func TestSegment(t *testing.T) {
	p := Pack("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAECAw")
	for i, want := range []string{`{"alg":"ES256"}`, `{"sub":"a"}`, "\x00\x01\x02\x03"} {
		if got, ok := p.Segment(i); !ok || got != want {
			t.Errorf("Segment(%d) = %q, %v", i, got, ok)
		}
	}
	if _, ok := p.Segment(3); ok {
		t.Error("a fourth segment of three")
	}
	if _, ok := Pack("not a.token").Segment(0); ok {
		t.Error("a segment of plain text")
	}
	if got := p.Segments(); got != 3 {
		t.Errorf("Segments = %d", got)
	}
	var zero Packed
	if _, ok := zero.Segment(0); ok || zero.Token() != "" || zero.Segments() != 0 {
		t.Error("the zero Packed is not empty")
	}
}

func TestPackedIsRedacted(t *testing.T) {
	holder := struct{ Token Packed }{Pack("not-a-token!")}
	j, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		string(j), fmt.Sprintf("%v %+v %#v %s %q %x %d", holder.Token, holder.Token, holder.Token, holder.Token, holder.Token, holder.Token, holder.Token),
		fmt.Sprintf("%+v %#v", holder, holder),
	} {
		if strings.Contains(printed, "token!") || strings.Contains(printed, fmt.Sprintf("%x", "token!")) || !strings.Contains(printed, "[redacted]") {
			t.Errorf("printed as %s", printed)
		}
	}
}

func BenchmarkCut(b *testing.B) {
	packed := Append(nil, "eyJhbGciOiJFUzI1NiJ9."+base64.RawURLEncoding.EncodeToString(make([]byte, 450))+"."+base64.RawURLEncoding.EncodeToString(make([]byte, 256)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Cut(packed); err != nil {
			b.Fatal(err)
		}
	}
}
