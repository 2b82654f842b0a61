package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

var testTime = time.UnixMilli(1_790_000_000_123)

func testRecord() *record {
	return &record{
		id:       sessionID{1, 2, 3, 15: 16},
		created:  testTime,
		expires:  testTime.Add(12 * time.Hour),
		saved:    testTime.Add(time.Minute),
		provider: "one", identity: identity{sid: "canary-sid", issued: testTime}, tried: demandKey{1, 7: 8},
		others:   map[string]*client.Tokens{"https://api.example.com": {AccessToken: "canary-other", TokenType: "Bearer"}},
		userInfo: []byte(`{"groups":["canary"]}`),
		tokens:   &client.Tokens{AccessToken: "canary-access", TokenType: "Bearer", RefreshToken: "canary-refresh", Expiry: testTime.Add(time.Hour).Truncate(time.Second)},
		values:   map[string][]byte{"cart": []byte("canary-value"), "": {}, "b": {0}},
	}
}

func encoded(t testing.TB, r *record) []byte {
	t.Helper()
	data, err := r.appendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sameRecord(t testing.TB, got, want *record) {
	t.Helper()
	if got == nil {
		t.Fatal("no record")
	}
	if got.id != want.id || !got.created.Equal(want.created) || !got.expires.Equal(want.expires) || !got.saved.Equal(want.saved) {
		t.Errorf("id or times differ: %x %v %v %v", got.id, got.created, got.expires, got.saved)
	}
	if (got.tokens == nil) != (want.tokens == nil) {
		t.Fatal("tokens there in one only")
	}
	if got.tokens != nil && (got.tokens.AccessToken != want.tokens.AccessToken || got.tokens.RefreshToken != want.tokens.RefreshToken || !got.tokens.Expiry.Equal(want.tokens.Expiry)) {
		t.Error("tokens differ")
	}
	if got.provider != want.provider || got.identity.sid != want.identity.sid || !got.identity.issued.Equal(want.identity.issued) || got.tried != want.tried {
		t.Error("what is known of the sign-in differs")
	}
	if !bytes.Equal(got.userInfo, want.userInfo) || len(got.others) != len(want.others) {
		t.Error("userinfo or further tokens differ")
	}
	for resource, tokens := range want.others {
		if held := got.others[resource]; held == nil || held.AccessToken != tokens.AccessToken {
			t.Errorf("the token for %s differs", resource)
		}
	}
	if len(got.values) != len(want.values) {
		t.Fatalf("%d values, want %d", len(got.values), len(want.values))
	}
	for name, value := range want.values {
		if held, ok := got.values[name]; !ok || !bytes.Equal(held, value) {
			t.Errorf("value %q differs", name)
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	bare := &record{created: time.UnixMilli(0), expires: time.UnixMilli(maxTime), saved: time.UnixMilli(1), identity: identity{issued: time.UnixMilli(0)}}
	for name, want := range map[string]*record{"full": testRecord(), "bare": bare} {
		t.Run(name, func(t *testing.T) {
			got := testRecord() // what was there before must be gone
			if err := got.unmarshal(encoded(t, want)); err != nil {
				t.Fatal(err)
			}
			sameRecord(t, got, want)
		})
	}
	if !bytes.Equal(encoded(t, testRecord()), encoded(t, testRecord())) {
		t.Error("two encodings of one record differ")
	}
}

// A value of the app cannot be appended to into the one behind it.
func TestRecordValuesAreApart(t *testing.T) {
	var r record
	if err := r.unmarshal(encoded(t, testRecord())); err != nil {
		t.Fatal(err)
	}
	_ = append(r.values["b"], "overwritten"...)
	if string(r.values["cart"]) != "canary-value" {
		t.Error("appending to one value changed another")
	}
}

func TestRecordTimesOutOfRange(t *testing.T) {
	for _, bad := range []time.Time{{}, time.UnixMilli(-1), time.UnixMilli(maxTime + 1), time.Unix(math.MaxInt64/2, 0)} {
		r := testRecord()
		r.expires = bad
		if _, err := r.appendBinary(nil); err == nil || !strings.Contains(err.Error(), "between 1970 and 9999") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestRecordRefuses(t *testing.T) {
	good := encoded(t, testRecord())
	bare := encoded(t, &record{created: testTime, expires: testTime, saved: testTime, identity: identity{issued: testTime}})
	head := bare[:len(bare)-1] // without the count of values
	values := func(b ...byte) []byte { return append(bytes.Clone(head), b...) }
	cases := map[string][]byte{
		"nothing":           nil,
		"version 0":         append([]byte{0}, good[1:]...),
		"version 1":         append([]byte{1}, good[1:]...),
		"version 3":         append([]byte{3}, good[1:]...),
		"trailing byte":     append(bytes.Clone(good), 0),
		"an unknown part":   flagged(bare, 0x80),
		"an empty provider": withPart(hasProvider, 0),
		"no other tokens":   withPart(hasOthers, 0),
		"empty tokens":      withPart(hasOthers, 1, 1, 'a', 0),
		"a name twice":      values(2, 1, 'a', 0, 1, 'a', 0),
		"names descend":     values(2, 1, 'b', 0, 1, 'a', 0),
		"empty name second": values(2, 1, 'a', 0, 0, 0),
		"10^9 values":       append(bytes.Clone(head), binary.AppendUvarint(nil, 1e9)...),
		"2^64-1 values":     append(bytes.Clone(head), binary.AppendUvarint(nil, math.MaxUint64)...),
		"huge value":        append(values(1, 1, 'a'), binary.AppendUvarint(nil, math.MaxUint64)...),
		"year 10000":        append(append([]byte{recordVersion, 0}, make([]byte, 16)...), binary.AppendUvarint(nil, maxTime+1)...),
		"number too long":   append(append([]byte{recordVersion, 0}, make([]byte, 16)...), bytes.Repeat([]byte{0xff}, 11)...),
	}
	for n := range good {
		cases[fmt.Sprintf("the first %d bytes", n)] = good[:n]
	}
	for name, data := range cases {
		if err := new(record).unmarshal(data); !errors.Is(err, errUndecryptable) {
			t.Errorf("%s: %v, want errUndecryptable", name, err)
		}
	}
	if err := new(record).unmarshal(values(2, 1, 'a', 0, 1, 'b', 0)); err != nil {
		t.Errorf("the accepted case beside them: %v", err)
	}
}

func TestRecordAndAttemptRedact(t *testing.T) {
	a := testAttempt(t, 1)
	for _, v := range []any{testRecord(), *testRecord(), a, *a, []any{testRecord(), *a}, struct{ R record }{*testRecord()}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, "canary") || strings.Contains(text, "63616e617279") || strings.Contains(text, "99 97 110") {
				t.Errorf("%s of %T tells: %.80s", verb, v, text)
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(encoded(f, testRecord()))
	f.Add(encoded(f, &record{created: testTime, expires: testTime, saved: testTime, identity: identity{issued: testTime}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r, again record
		if err := r.unmarshal(data); err != nil {
			if !errors.Is(err, errUndecryptable) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if err := again.unmarshal(encoded(t, &r)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.values, again.values) || r.id != again.id || !r.created.Equal(again.created) {
			t.Fatal("a record changed on its way through storage")
		}
	})
}

// The times of a record stand beside the first of them, and are years from it at most.
func TestRecordTimesFarApart(t *testing.T) {
	at := func(distance int64) []byte {
		b := append([]byte{recordVersion, 0}, make([]byte, len(sessionID{}))...)
		b = appendTime(b, testTime)
		b = binary.AppendVarint(b, distance)
		b = binary.AppendVarint(binary.AppendVarint(b, 0), 0)
		return append(b, 0, 0) // no tokens, no values
	}
	created := testTime.UnixMilli()
	for distance, ok := range map[int64]bool{
		0: true, -created: true, maxTime - created: true,
		-created - 1: false, maxTime - created + 1: false, math.MaxInt64: false, math.MinInt64: false,
	} {
		if err := new(record).unmarshal(at(distance)); (err == nil) != ok {
			t.Errorf("%d ms: %v", distance, err)
		}
	}
}

// flagged is a record that says it has one part more.
func flagged(data []byte, has byte) []byte {
	data = bytes.Clone(data)
	data[1] |= has
	return data
}

// withPart is a record with one part, whose bytes are given.
func withPart(has byte, part ...byte) []byte {
	b := append([]byte{recordVersion, has}, make([]byte, len(sessionID{}))...)
	b = append(appendTime(b, testTime), 0, 0, 0) // times
	if has == hasOthers {
		return append(append(append(b, 0), part...), 0) // no tokens of its own, and no values
	}
	return append(append(b, part...), 0, 0)
}
