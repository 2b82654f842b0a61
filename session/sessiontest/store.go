package sessiontest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/session"
)

// What a store may do with a time: count it in whole seconds.
const (
	shortLife = 2 * time.Second // of the values that expire while a test watches
	mayBeSoon = time.Second     // before its time, a value may be gone
	mayBeLate = 2 * time.Second // after its time, it must
)

// longLife is that of the values that are not to expire.
const longLife = time.Hour

// bigValue is more than a session ever has, and still goes into a BLOB of MySQL.
const bigValue = 64_000

// Store tests every clause of [session.Store]. It calls open twice for each of them: the two
// stores stand for two processes, and what one saves the other loads. A store that lives in
// one process only gives the same one both times. It takes some seconds, because values expire.
func Store[T TB[T]](t T, open func(t T) session.Store) {
	t.Helper()
	for _, clause := range storeClauses {
		t.Run(clause.name, func(t T) {
			clause.check(storeTest{t, open(t), open(t)})
		})
	}
}

var storeClauses = [...]struct {
	name  string
	check func(t storeTest)
}{
	{"LoadsMany", storeTest.loadsMany},
	{"LoadsNothing", storeTest.loadsNothing},
	{"Replaces", storeTest.replaces},
	{"Deletes", storeTest.deletes},
	{"SharesAtOnce", storeTest.sharesAtOnce},
	{"Copies", storeTest.copies},
	{"TellsKeysApart", storeTest.tellsKeysApart},
	{"KeepsBytes", storeTest.keepsBytes},
	{"SaveOfThePastDeletes", storeTest.saveOfThePastDeletes},
	{"Expires", storeTest.expires},
	{"EndedContext", storeTest.endedContext},
	{"Concurrent", storeTest.concurrent},
}

type storeTest struct {
	reporter
	one, other session.Store
}

func (t storeTest) save(s session.Store, key string, value []byte, life time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Save(ctx, key, value, time.Now().Add(life)); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func (t storeTest) load(s session.Store, keys ...string) map[string][]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found, err := s.Load(ctx, keys...)
	if err != nil {
		t.Fatalf("Load of %d keys: %v", len(keys), err)
	}
	return found
}

func (t storeTest) delete(s session.Store, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Delete(ctx, key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
}

// holds asserts that the store gives want for key.
func (t storeTest) holds(s session.Store, key string, want []byte) {
	t.Helper()
	got, ok := t.load(s, key)[key]
	switch {
	case !ok:
		t.Errorf("Load does not find what was saved")
	case !bytes.Equal(got, want):
		t.Errorf("Load gives %s, want %s", show(got), show(want))
	}
}

// lacks asserts that the store has nothing for key.
func (t storeTest) lacks(s session.Store, key string) {
	t.Helper()
	if got, ok := t.load(s, key)[key]; ok {
		t.Errorf("Load gives %s for a key that has no value", show(got))
	}
}

func show(value []byte) string {
	const most = 32
	if len(value) > most {
		return fmt.Sprintf("%q... (%d bytes)", value[:most], len(value))
	}
	return fmt.Sprintf("%q", value)
}

func (t storeTest) loadsMany() {
	const many = 20
	want := make(map[string][]byte)
	var keys []string
	for i := range many {
		key := newKey()
		want[key] = fmt.Appendf(nil, "value %d", i)
		t.save(t.one, key, want[key], longLife)
		keys = append(keys, key, newKey()) // each with one that was never saved
	}
	keys = append(keys, keys[0])
	found := t.load(t.other, keys...)
	for key, value := range want {
		if got, ok := found[key]; !ok || !bytes.Equal(got, value) {
			t.Errorf("Load of %d keys gives %s (in the map: %t), want %s", len(keys), show(got), ok, show(value))
		}
	}
	if len(found) != many {
		t.Errorf("Load of %d keys with %d values gives %d", len(keys), many, len(found))
	}
}

func (t storeTest) loadsNothing() {
	if found := t.load(t.one); len(found) > 0 {
		t.Errorf("Load of no key gives %d values", len(found))
	}
	t.lacks(t.one, newKey())
}

func (t storeTest) replaces() {
	key := newKey()
	for _, value := range []string{"first", "a longer second", "3rd"} {
		t.save(t.one, key, []byte(value), longLife)
		t.holds(t.one, key, []byte(value))
	}
}

func (t storeTest) deletes() {
	key, neighbour := newKey(), newKey()
	t.save(t.one, key, []byte("value"), longLife)
	t.save(t.one, neighbour, []byte("neighbour"), longLife)
	t.delete(t.one, key)
	t.lacks(t.one, key)
	t.holds(t.one, neighbour, []byte("neighbour"))

	t.delete(t.one, key) // once more, and one that never was
	t.delete(t.one, newKey())

	t.save(t.one, key, []byte("again"), longLife)
	t.holds(t.one, key, []byte("again"))
}

func (t storeTest) sharesAtOnce() {
	key := newKey()
	t.lacks(t.other, key) // an absence that is remembered would be wrong from here on
	for i := range 20 {
		value := fmt.Appendf(nil, "%d", i)
		t.save(t.one, key, value, longLife)
		t.holds(t.other, key, value)
		t.holds(t.one, key, value)
		t.delete(t.other, key)
		t.lacks(t.one, key)
		t.lacks(t.other, key)
		t.one, t.other = t.other, t.one
	}
}

func (t storeTest) copies() {
	key, value := newKey(), []byte("value")
	t.save(t.one, key, value, longLife)
	value[0] = 'X'
	if got := t.load(t.one, key)[key]; string(got) != "value" {
		t.Errorf("Load gives %s after the slice given to Save was changed, want the bytes saved", show(got))
	}

	key = newKey()
	t.save(t.one, key, []byte("value"), longLife)
	if got := t.load(t.one, key)[key]; len(got) > 0 {
		got[0] = 'X'
	}
	if got := t.load(t.one, key)[key]; string(got) != "value" {
		t.Errorf("Load gives %s after what an earlier one gave was changed, want the bytes saved", show(got))
	}
}

func (t storeTest) tellsKeysApart() {
	stem := newKey()[:16]
	const alphabet = "-_.abcdefghijklmnopqrstuvwxyz01234567890ABCDEFGH"
	keys := []string{
		stem + "aBcD", stem + "AbCd", stem + "abcd", stem + "ABCD",
		stem + "a_c", stem + "abc", stem + "a.c", stem + "a-c", stem + "ac",
		stem, strings.ToLower(stem), stem + ".", stem + "-", stem + "_",
		stem + alphabet, stem + alphabet[:47], stem + alphabet[:47] + "h",
	}
	for _, key := range keys {
		t.save(t.one, key, []byte(key), longLife)
	}
	found := t.load(t.other, keys...)
	for _, key := range keys {
		if string(found[key]) != key {
			t.Errorf("Load gives %s for %q, want what was saved under that key", show(found[key]), key)
		}
	}
	t.delete(t.one, keys[0])
	t.holds(t.other, keys[1], []byte(keys[1]))
}

func (t storeTest) keepsBytes() {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	big := make([]byte, bigValue)
	rand.Read(big)
	for name, value := range map[string][]byte{
		"nil":               nil,
		"no bytes":          {},
		"one zero byte":     {0},
		"every byte":        every,
		"no UTF-8":          {0xff, 0xfe, 0xc3, 0x28},
		"spaces and zeros":  []byte(" \x00 value \x00 "),
		"ends of lines":     []byte("\r\na\nb\r\r\n"),
		"quotes":            []byte(`'"\%_$1;--`),
		"64,000 bytes":      big,
		"64,000 bytes of a": bytes.Repeat([]byte("a"), bigValue),
	} {
		key := newKey()
		t.save(t.one, key, value, longLife)
		got, ok := t.load(t.other, key)[key]
		if !ok || !bytes.Equal(got, value) {
			t.Errorf("%s: Load gives %s (in the map: %t), want %s", name, show(got), ok, show(value))
		}
	}
}

func (t storeTest) saveOfThePastDeletes() {
	for _, ago := range []time.Duration{0, time.Millisecond, time.Hour, 24 * 365 * 100 * time.Hour} {
		key := newKey()
		t.save(t.one, key, []byte("value"), -ago)
		t.lacks(t.other, key)
		t.save(t.one, key, []byte("value"), longLife)
		t.save(t.one, key, []byte("past"), -ago)
		t.lacks(t.one, key)
	}
	key := newKey()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := t.one.Save(ctx, key, []byte("value"), time.Time{}); err != nil {
		t.Errorf("Save until the zero time: %v", err)
	}
	t.lacks(t.one, key)
}

// expires watches one value that is saved with a short life, one whose life is cut short by a
// second Save, and one whose life is made long by it.
func (t storeTest) expires() {
	short, shortened, prolonged := newKey(), newKey(), newKey()
	t.save(t.one, shortened, []byte("value"), longLife)
	t.save(t.one, prolonged, []byte("value"), shortLife)
	t.save(t.one, prolonged, []byte("value"), longLife)
	t.save(t.one, shortened, []byte("value"), shortLife)
	t.save(t.one, short, []byte("value"), shortLife)
	begin := time.Now() // the two expire by begin + shortLife

	tick := time.NewTicker(look)
	defer tick.Stop()
	for _, key := range []string{short, shortened} {
		for {
			asked := time.Since(begin)
			if _, ok := t.load(t.other, key)[key]; !ok {
				break
			}
			if asked > shortLife+mayBeLate {
				t.Errorf("Load still gives a value %v after it has expired", mayBeLate)
				break
			}
			<-tick.C
		}
		if gone := time.Since(begin); gone < shortLife-mayBeSoon {
			t.Errorf("a value saved for %v is gone after %v", shortLife, gone)
		}
	}
	t.holds(t.other, prolonged, []byte("value"))
	t.lacks(t.one, short)
}

func (t storeTest) endedContext() {
	key := newKey()
	t.save(t.one, key, []byte("value"), longLife)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if found, err := t.one.Load(ended, key); err == nil {
		t.Errorf("Load gives %d values and no error under a context that has ended", len(found))
	}
	if err := t.one.Save(ended, newKey(), []byte("value"), time.Now().Add(longLife)); err == nil {
		t.Errorf("Save gives no error under a context that has ended")
	}
	if err := t.one.Delete(ended, newKey()); err == nil {
		t.Errorf("Delete gives no error under a context that has ended")
	}
	t.holds(t.one, key, []byte("value")) // the store is none the worse for it
}

// concurrent runs with keys of their own, where every answer is known, and with one that all
// share, where a value is whole or not there.
func (t storeTest) concurrent() {
	const workers, rounds = 8, 25
	shared := newKey()
	var all sync.WaitGroup
	for worker := range workers {
		store := t.one
		if worker%2 == 1 {
			store = t.other
		}
		all.Go(func() {
			for round := range rounds {
				if !t.round(store, shared, byte('a'+worker), round) {
					return
				}
			}
		})
	}
	all.Wait()
}

func (t storeTest) round(s session.Store, shared string, mark byte, round int) bool {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	own, value := newKey(), bytes.Repeat([]byte{mark}, 2000+round)
	expires := time.Now().Add(longLife)
	for _, key := range []string{own, shared} {
		if err := s.Save(ctx, key, value, expires); err != nil {
			t.Errorf("Save, beside others: %v", err)
			return false
		}
	}
	found, err := s.Load(ctx, own, shared)
	if err != nil {
		t.Errorf("Load, beside others: %v", err)
		return false
	}
	if !bytes.Equal(found[own], value) {
		t.Errorf("Load, beside others, gives %s, want %s", show(found[own]), show(value))
		return false
	}
	got := found[shared]
	if len(got) == 0 || bytes.Count(got, got[:1]) != len(got) {
		t.Errorf("Load of a key that many save gives %s, want the whole of one value", show(got))
		return false
	}
	if err := s.Delete(ctx, own); err != nil {
		t.Errorf("Delete, beside others: %v", err)
		return false
	}
	return true
}
