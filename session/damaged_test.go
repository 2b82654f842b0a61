package session

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is sealed was written by us, or by a later version of us: each part of it
// is looked at all the same.

func TestDamagedLoginInAnAttempt(t *testing.T) {
	a := testAttempt(t, 1)
	b := appendTime([]byte{attemptVersion}, a.expires)
	b = appendField(appendField(a.began.append(b), a.returnTo), a.data)
	b = append(appendField(b, a.provider), make([]byte, len(a.tried)+1)...)
	login, err := a.login.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := new(attempt).unmarshal(appendField(b, login)); err != nil {
		t.Fatalf("the accepted case: %v", err)
	}
	if err := new(attempt).unmarshal(appendField(b, login[1:])); !errors.Is(err, errUndecryptable) {
		t.Errorf("a login without its version: %v", err)
	}
}

func TestDamagedTokensInARecord(t *testing.T) {
	r := testRecord()
	b := append([]byte{recordVersion, hasOtherSID}, r.id[:]...)
	b = appendTime(b, r.created)
	for _, at := range []time.Time{r.expires, r.saved, r.identity.issued} {
		b = binary.AppendVarint(b, at.UnixMilli()-r.created.UnixMilli())
	}
	b = appendField(b, r.identity.sid)
	tokens, err := r.tokens.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	record := func(tokens []byte) []byte {
		return binary.AppendUvarint(appendField(b[:len(b):len(b)], tokens), 0)
	}
	if err := testRecord().unmarshal(record(tokens)); err != nil {
		t.Fatalf("the accepted case: %v", err)
	}
	if err := testRecord().unmarshal(record(tokens[1:])); !errors.Is(err, errUndecryptable) {
		t.Errorf("tokens without their version: %v", err)
	}
}

// A count is one digit: what stands behind '9' in ASCII is none.
func TestChunkCountIsADigit(t *testing.T) {
	sealed := strings.Repeat("A", keyIDLength) + strings.Repeat("t", 2*tagLength)
	var found [maxChunks]twice
	for i := range found {
		found[i].add(strings.Repeat("t", tagLength) + "more")
	}
	for count, want := range map[string]int{"9": 1, ":": 0, "A": 0, "0": 0, "/": 0} {
		tried := 0
		joinChunks(string(formatVersion)+count+sealed, &found, func(string) bool {
			tried++
			return true
		})
		if tried != want {
			t.Errorf("count %q: tried %d times, want %d", count, tried, want)
		}
	}
}

// A path may be encoded more often than we decode it: then it is a name.
func TestPathEncodedOften(t *testing.T) {
	const path = "/%2525252541"
	if got, ok := localAddress(path); got != path || !ok {
		t.Errorf("got %q, %t", got, ok)
	}
}

// Of two endings of a session the stronger reason and the earlier time hold, whichever
// comes first.
func TestEndingsMerge(t *testing.T) {
	a := newApp(t)
	now := a.m.cfg.Now()
	p := presence{id: sessionID{1}, ends: now.Add(time.Hour)}
	reason := func() string {
		e, _ := a.m.endingOf(&record{id: p.id}, now)
		if e.at.Equal(time.UnixMilli(0)) {
			return e.reason + " at once"
		}
		return e.reason + " at " + e.at.Sub(now).String()
	}
	for _, step := range []struct {
		reason string
		after  time.Duration
		want   string
	}{
		{ReasonReplaced, time.Minute, ReasonReplaced + " at 1m0s"},
		{ReasonReplaced, time.Hour, ReasonReplaced + " at 1m0s"},
		{ReasonSignedOut, 2 * time.Minute, ReasonSignedOut + " at 1m0s"},
		{ReasonReplaced, 0, ReasonSignedOut + " at once"},
	} {
		a.m.end(p, step.reason, now.Add(step.after))
		if got := reason(); got != step.want {
			t.Errorf("after %s: got %s, want %s", step.reason, got, step.want)
		}
	}
}

// Who deletes attempts deletes no cookie of somebody else.
func TestNamesOfNoAttempt(t *testing.T) {
	c := testCookies(t, overTLS)
	hash := strings.Repeat("A", stateHashLength)
	if !c.isAttempt(c.laxPrefix+hash) || !c.isAttempt(c.postPrefix+hash) {
		t.Fatal("the accepted case")
	}
	for _, name := range []string{hash, c.laxPrefix, c.laxPrefix + hash[1:], c.laxPrefix + hash + "AAAA", c.laxPrefix + hash[1:] + "\n", c.laxPrefix + hash[1:] + "!"} {
		if c.isAttempt(name) {
			t.Errorf("%q is taken for an attempt", name)
		}
	}
}

// What is sealed as a last-seen time was written by us, or by a later version of us.
func TestDamagedSeen(t *testing.T) {
	whole := appendTime(append([]byte{seenVersion}, make([]byte, len(sessionID{}))...), testTime)
	for name, plain := range map[string][]byte{
		"whole": whole, "empty": nil, "cut": whole[:len(whole)-1], "longer": append(slices.Clone(whole), 0),
		"another version": append([]byte{seenVersion + 1}, whole[1:]...),
	} {
		if err := new(seen).unmarshal(plain); (err == nil) != (name == "whole") || err != nil && err != errUndecryptable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
