package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// large are cookies whose budget takes nine chunks.
func large(t testing.TB, redirect string) *cookies {
	return testCookies(t, redirect, func(cfg *cookieConfig) { cfg.budget = maxChunks * maxCookie })
}

func TestV24ChunkGames(t *testing.T) {
	c := large(t, overTLS)
	three := pairs(written(t, c, requestWith(), sizedRecord(8000)))
	again := pairs(written(t, c, requestWith(), sizedRecord(8000))) // the same record, sealed once more
	one := pairs(written(t, c, requestWith(), sizedRecord(10)))
	if len(three) != 3 || len(again) != 3 || len(one) != 1 {
		t.Fatalf("%d, %d and %d chunks; want 3, 3 and 1", len(three), len(again), len(one))
	}
	value := func(pair string) string { _, v, _ := strings.Cut(pair, "="); return v }
	recount := func(count string) string { return "__Host-app=1" + count + value(three[0])[2:] }
	swapped := []string{three[0], "__Host-app.1=" + value(three[2]), "__Host-app.2=" + value(three[1])}
	for _, test := range []struct {
		name  string
		pairs []string
		want  error
	}{
		{"whole", three, nil},
		{"in another order", []string{three[2], three[0], three[1]}, nil},
		{"with one more left over", append(slices.Clone(three), "__Host-app.3="+value(again[2])), nil},
		{"with all of another response's left over", append(slices.Clone(three), again[1], again[2]), nil},
		{"shrunk to one, chunks left over", []string{one[0], three[1], three[2]}, nil},
		{"first missing", three[1:], nil}, // no session at all: leftovers
		{"second missing", []string{three[0], three[2]}, errUndecryptable},
		{"last missing", three[:2], errUndecryptable},
		{"swapped", swapped, errUndecryptable},
		{"second twice, last missing", []string{three[0], three[1], "__Host-app.2=" + value(three[1])}, errUndecryptable},
		{"second of another response", []string{three[0], again[1], three[2]}, errUndecryptable},
		{"last of another response", []string{three[0], three[1], again[2]}, errUndecryptable},
		{"first of another response", []string{again[0], three[1], three[2]}, errUndecryptable},
		{"last cut", []string{three[0], three[1], three[2][:len(three[2])-1]}, errUndecryptable},
		{"last longer", []string{three[0], three[1], three[2] + "A"}, errUndecryptable},
		{"only a tag", []string{three[0], three[1], three[2][:len("__Host-app.2=")+tagLength]}, errUndecryptable},
		{"shorter than a tag", []string{three[0], three[1], three[2][:len("__Host-app.2=")+3]}, errUndecryptable},
		{"count 0", append([]string{recount("0")}, three[1:]...), errUndecryptable},
		{"count 1", append([]string{recount("1")}, three[1:]...), errUndecryptable},
		{"count 2", append([]string{recount("2")}, three[1:]...), errUndecryptable},
		{"count 4, and a fourth", append([]string{recount("4"), "__Host-app.3=" + value(three[2])}, three[1:]...), errUndecryptable},
		{"count 9", append([]string{recount("9")}, three[1:]...), errUndecryptable},
		// The count is one digit: the next are in the place of the key ID.
		{"count 10^9", append([]string{recount("1000000000")}, three[1:]...), errUnknownKey},
		{"count -1", append([]string{recount("-1")}, three[1:]...), errUndecryptable},
		{"count /", append([]string{recount("/")}, three[1:]...), errUndecryptable},
		{"version 0", append([]string{"__Host-app=0" + value(three[0])[1:]}, three[1:]...), errUndecryptable},
		{"version 2", append([]string{"__Host-app=2" + value(three[0])[1:]}, three[1:]...), errUndecryptable},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec, err := c.readSession(requestWith(test.pairs...))
			if !errors.Is(err, test.want) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			if found := rec != nil; found != (test.want == nil && test.name != "first missing") {
				t.Errorf("found a session: %v", found)
			}
		})
	}
}

// Sizes around each boundary, so that a session fills its chunks exactly, or
// exceeds them by one byte. All come back, through a strict browser.
func TestV24ExactMultiples(t *testing.T) {
	full := map[int]int{} // how many sessions filled so many chunks
	for _, app := range []string{"a", "ap", "app", "apps"} {
		c := testCookies(t, overTLS, func(cfg *cookieConfig) { cfg.app, cfg.budget = app, maxChunks*maxCookie })
		attributes := c.attributes + c.maxAge(testTime.Add(12*time.Hour))
		room := maxCookie - len(c.names[1]) - len("=") - len(attributes)
		for chunks := 1; chunks <= 5; chunks++ {
			sealed := room - 2 + (chunks-1)*(room-tagLength)
			size := (sealed-keyIDLength-formLength-prefixLength)*3/4 - 16
			for n := size - 80; n < size; n++ {
				want, jar := sizedRecord(n), testJar()
				h := written(t, c, requestWith(), want)
				lines := h["Set-Cookie"]
				for i, line := range lines {
					if len(line) > maxCookie {
						t.Fatalf("line %d has %d bytes", i, len(line))
					}
				}
				if len(lines[len(lines)-1]) == maxCookie {
					full[len(lines)]++
				}
				jar.take(t, overTLS, h)
				got, err := c.readSession(jar.request(t, overTLS))
				if err != nil {
					t.Fatalf("%d bytes in %d chunks: %v, refused %q", n, len(lines), err, jar.refused)
				}
				sameRecord(t, got, want)
			}
		}
	}
	for _, chunks := range []int{2, 3, 5} { // no base64 has the length of 4 full ones
		if full[chunks] == 0 {
			t.Errorf("no session filled %d chunks exactly", chunks)
		}
	}
}

// For every length of sealed text, what was split is joined again.
func TestSplitAndJoin(t *testing.T) {
	const room = 40
	for n := keyIDLength + formLength + tagLength; n < 300; n++ {
		sealed := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 10)[:n]
		values := splitSealed(sealed, room)
		var found [maxChunks]twice
		for i, value := range values {
			if len(value) > room || len(value) <= tagLength {
				t.Fatalf("%d bytes: chunk %d of %d has %d", n, i, len(values), len(value))
			}
			if i < maxChunks {
				found[i].add(value)
			}
		}
		joined := ""
		joinChunks(values[0], &found, func(s string) bool { joined = s; return true })
		if fits := len(values) <= maxChunks; fits && joined != sealed {
			t.Fatalf("%d bytes in %d chunks joined to %q", n, len(values), joined)
		}
	}
}

func TestV24ShrinkDeletesWhatIsLeft(t *testing.T) {
	c, jar := large(t, overTLS), testJar()
	jar.take(t, overTLS, written(t, c, jar.request(t, overTLS), sizedRecord(8000)))
	h := written(t, c, jar.request(t, overTLS), sizedRecord(10))
	if got := deleted(h); !slices.Equal(got, []string{"__Host-app.1", "__Host-app.2"}) {
		t.Errorf("3 chunks to 1: deleted %q", got)
	}
	jar.take(t, overTLS, h)
	if got := jar.names(); !slices.Equal(got, []string{"__Host-app"}) {
		t.Errorf("left %q", got)
	}
	h = written(t, c, jar.request(t, overTLS), sizedRecord(8000))
	if got := deleted(h); len(got) != 0 || len(pairs(h)) != 3 {
		t.Errorf("1 chunk to 3: deleted %q", got)
	}
	// Within one response as well: the second write holds.
	h = written(t, c, requestWith(), sizedRecord(8000))
	if err := c.writeSession(h, requestWith(), sizedRecord(10)); err != nil {
		t.Fatal(err)
	}
	if got := deleted(h); !slices.Equal(got, []string{"__Host-app.1", "__Host-app.2"}) || len(h["Set-Cookie"]) != 3 {
		t.Errorf("two writes in one response: deleted %q of %d lines", got, len(h["Set-Cookie"]))
	}
}

// A crafted header costs a bounded number of attempts to open it, however many
// chunks are there twice.
func TestV24TriesAreBounded(t *testing.T) {
	sealed := "keyidXptagtagta" + strings.Repeat("x", 300)
	values := splitSealed(sealed, 40)
	if len(values) < maxChunks {
		t.Fatalf("%d chunks", len(values))
	}
	var found [maxChunks]twice
	for i := range maxChunks {
		for range 5 {
			found[i].add(values[i])
		}
	}
	tries := 0
	joinChunks(values[0], &found, func(string) bool { tries++; return false })
	if tries != 8 {
		t.Errorf("%d tries, want 8", tries)
	}
}

// Of two chunks with the right tag, whichever is genuine is found.
func TestV23TwoChunksWithTheTag(t *testing.T) {
	c := large(t, loopHTTP)
	set := pairs(written(t, c, requestWith(), sizedRecord(11000)))
	if len(set) != 4 {
		t.Fatalf("%d chunks, want 4", len(set))
	}
	tag := set[1][len("app.1="):][:tagLength]
	for mask := range 8 {
		cookies := []string{set[0]}
		for i := 1; i < 4; i++ {
			double := []string{fmt.Sprintf("app.%d=%sforged", i, tag), set[i]}
			if mask>>(i-1)&1 == 1 {
				slices.Reverse(double)
			}
			cookies = append(cookies, double...)
		}
		if rec, err := c.readSession(requestWith(cookies...)); rec == nil {
			t.Errorf("order %03b: %v", mask, err)
		}
	}
}

func FuzzChunks(f *testing.F) {
	c := large(f, loopHTTP)
	set := pairs(written(f, c, requestWith(), sizedRecord(8000)))
	for _, pair := range set {
		_, value, _ := strings.Cut(pair, "=")
		f.Add(value, byte(0))
		f.Add(value[:20], byte(2))
	}
	f.Fuzz(func(t *testing.T, value string, at byte) {
		var found [maxChunks]twice
		for i, pair := range set {
			_, genuine, _ := strings.Cut(pair, "=")
			found[i].add(genuine)
		}
		found[int(at)%maxChunks].add(value)
		r := &http.Request{Header: http.Header{"Cookie": {strings.Join(set, "; ") + fmt.Sprintf("; app.%d=%s", int(at)%maxChunks, value)}}}
		if int(at)%maxChunks > 0 {
			if rec, err := c.readSession(r); rec == nil {
				t.Fatalf("a planted chunk hid the session: %v", err)
			}
		}
		tries := 0
		joinChunks(value, &found, func(sealed string) bool { tries++; return len(sealed) > maxChunks*maxCookie })
		if tries > 8 {
			t.Fatalf("%d tries", tries)
		}
	})
}
