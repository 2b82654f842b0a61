package sessiontest_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/sessiontest"
)

// A table is what the stores of a test share.
type table struct {
	mu   sync.Mutex
	rows map[string]row
}

type row struct {
	value   []byte
	expires time.Time
}

// A store is right, but for the functions it has: each takes over one of its steps.
type store struct {
	*table
	name   func(key string) string                            // under which a key is kept
	keep   func(value []byte) []byte                          // what is kept of a value
	give   func(value []byte) []byte                          // what is given of it
	until  func(expires time.Time) time.Time                  // until when
	load   func(s *store, key string) ([]byte, bool)          // what is found
	save   func(s *store, key string, fresh row)              // how it is put
	drop   func(s *store, key string) error                   // how it is deleted
	result func(keys []string, found map[string][]byte) error // what becomes of a load
	ended  func(err error) error                              // what an ended context means

	seen map[string][]byte // for a store that remembers what it saw
}

func (s *store) key(key string) string {
	if s.name != nil {
		return s.name(key)
	}
	return key
}

func (s *store) context(ctx context.Context) error {
	err := ctx.Err()
	if s.ended != nil && err != nil {
		return s.ended(err)
	}
	return err
}

var errEmpty = errors.New("no error, and nothing loaded")

func (s *store) Load(ctx context.Context, keys ...string) (map[string][]byte, error) {
	found := make(map[string][]byte)
	if err := s.context(ctx); errors.Is(err, errEmpty) {
		return found, nil
	} else if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if value, ok := s.find(key); ok {
			found[key] = value
		}
	}
	if s.result != nil {
		return found, s.result(keys, found)
	}
	return found, nil
}

func (s *store) find(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load != nil {
		return s.load(s, s.key(key))
	}
	return s.row(s.key(key))
}

func (s *store) row(key string) ([]byte, bool) {
	r, ok := s.rows[key]
	if !ok || !time.Now().Before(r.expires) {
		return nil, false
	}
	if s.give != nil {
		return s.give(r.value), true
	}
	return bytes.Clone(r.value), true
}

func (s *store) Save(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := s.context(ctx); err != nil && !errors.Is(err, errEmpty) {
		return err
	}
	fresh := row{bytes.Clone(value), expires}
	if s.keep != nil {
		fresh.value = s.keep(value)
	}
	if s.until != nil {
		fresh.expires = s.until(expires)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.save != nil {
		s.save(s, s.key(key), fresh)
		return nil
	}
	s.rows[s.key(key)] = fresh
	return nil
}

func (s *store) Delete(ctx context.Context, key string) error {
	if err := s.context(ctx); err != nil && !errors.Is(err, errEmpty) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drop != nil {
		return s.drop(s, s.key(key))
	}
	delete(s.rows, s.key(key))
	return nil
}

func TestStoreAcceptsARightOne(t *testing.T) {
	t.Parallel()
	shared := &table{rows: make(map[string]row)}
	r := record(t)
	sessiontest.Store(r, func(*recorder) session.Store { return &store{table: shared} })
	r.complains(t, nil)
}

func TestStoreAcceptsWholeSeconds(t *testing.T) {
	t.Parallel()
	for name, until := range map[string]func(time.Time) time.Time{
		"down": func(expires time.Time) time.Time { return expires.Truncate(time.Second) },
		"up":   func(expires time.Time) time.Time { return expires.Truncate(time.Second).Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := &table{rows: make(map[string]row)}
			put := func(s *store, key string, fresh row) {
				if time.Until(fresh.expires) <= 0 {
					delete(s.rows, key)
					return
				}
				fresh.expires = until(fresh.expires)
				s.rows[key] = fresh
			}
			r := record(t)
			sessiontest.Store(r, func(*recorder) session.Store { return &store{table: shared, save: put} })
			r.complains(t, nil)
		})
	}
}

// TestStoreRefuses gives Store what a store may do wrong, one thing at a time. All run at once,
// because most of their time is waiting for a value to expire.
func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	recorders := make(map[string]*recorder)
	var all sync.WaitGroup
	for name, c := range brokenStores {
		r := record(t)
		recorders[name] = r
		all.Go(func() {
			shared := &table{rows: make(map[string]row)}
			sessiontest.Store(r, func(*recorder) session.Store {
				s := c.broken
				s.table = shared
				return &s
			})
		})
	}
	all.Wait()
	for name, c := range brokenStores {
		t.Run(name, func(t *testing.T) { recorders[name].complains(t, c.want) })
	}
}

var brokenStores = map[string]struct {
	broken store
	want   map[string]string // clauses, and a complaint of each
}{
	"only the first key is loaded": {
		store{result: func(keys []string, found map[string][]byte) error {
			for _, key := range keys[min(1, len(keys)):] {
				delete(found, key)
			}
			return nil
		}},
		map[string]string{"LoadsMany": "Load of 41 keys gives", "TellsKeysApart": "want what was saved under that key", "Concurrent": "that many save gives \"\""},
	},
	"a missing key is an error": {
		store{result: func(keys []string, found map[string][]byte) error {
			for _, key := range keys {
				if _, ok := found[key]; !ok {
					return errors.New("not found")
				}
			}
			return nil
		}},
		map[string]string{"LoadsMany": "not found", "LoadsNothing": "not found", "Deletes": "not found", "SharesAtOnce": "not found",
			"SaveOfThePastDeletes": "not found", "Expires": "not found"},
	},
	"a missing key is in the map": {
		store{result: func(keys []string, found map[string][]byte) error {
			for _, key := range keys {
				found[key] = append([]byte{}, found[key]...)
			}
			return nil
		}},
		map[string]string{"LoadsMany": "Load of 41 keys with 20 values gives 40", "LoadsNothing": "has no value", "Deletes": "has no value",
			"SharesAtOnce": "has no value", "SaveOfThePastDeletes": "has no value", "Expires": "2s after it has expired"},
	},
	"no key is an error": {
		store{result: func(keys []string, _ map[string][]byte) error {
			if len(keys) == 0 {
				return errors.New("wrong number of arguments")
			}
			return nil
		}},
		map[string]string{"LoadsNothing": "Load of 0 keys: wrong number"},
	},
	"the first save stays": {
		store{save: func(s *store, key string, fresh row) {
			if _, ok := s.row(key); !ok {
				s.rows[key] = fresh
			}
		}},
		map[string]string{"Replaces": `gives "first", want "a longer second"`, "SaveOfThePastDeletes": "has no value",
			"Expires": "still gives a value"},
	},
	"the first expiry stays": {
		store{save: func(s *store, key string, fresh row) {
			if old, ok := s.rows[key]; ok && time.Now().Before(old.expires) {
				fresh.expires = old.expires
			}
			s.rows[key] = fresh
		}},
		map[string]string{"SaveOfThePastDeletes": "has no value", "Expires": "still gives a value 2s after it has expired"},
	},
	"nothing expires": {
		store{until: func(time.Time) time.Time { return time.Now().Add(time.Hour) }},
		map[string]string{"SaveOfThePastDeletes": "has no value", "Expires": "still gives a value 2s after it has expired"},
	},
	"values expire early": {
		store{until: func(expires time.Time) time.Time { return expires.Add(-1500 * time.Millisecond) }},
		map[string]string{"Expires": "a value saved for 2s is gone after"},
	},
	"a save of the past is for ever": {
		store{until: func(expires time.Time) time.Time {
			if time.Until(expires) <= 0 {
				return time.Now().Add(time.Hour)
			}
			return expires
		}},
		map[string]string{"SaveOfThePastDeletes": "has no value"},
	},
	"a save of the past does nothing": {
		store{save: func(s *store, key string, fresh row) {
			if time.Until(fresh.expires) > 0 {
				s.rows[key] = fresh
			}
		}},
		map[string]string{"SaveOfThePastDeletes": `gives "value" for a key that has no value`},
	},
	"a delete does nothing": {
		store{drop: func(*store, string) error { return nil }},
		map[string]string{"Deletes": "has no value", "SharesAtOnce": "has no value"},
	},
	"a delete of nothing is an error": {
		store{drop: func(s *store, key string) error {
			if _, ok := s.rows[key]; !ok {
				return errors.New("no rows affected")
			}
			delete(s.rows, key)
			return nil
		}},
		map[string]string{"Deletes": "Delete: no rows affected"},
	},
	"a delete is of all that begins so": {
		store{drop: func(s *store, key string) error {
			for other := range s.rows {
				if strings.EqualFold(other, key) {
					delete(s.rows, other)
				}
			}
			return nil
		}},
		map[string]string{"TellsKeysApart": "does not find what was saved"},
	},
	"the slice of the caller is kept": {
		store{keep: func(value []byte) []byte { return value }},
		map[string]string{"Copies": "after the slice given to Save was changed"},
	},
	"the own slice is given": {
		store{give: func(value []byte) []byte { return value }},
		map[string]string{"Copies": "after what an earlier one gave was changed"},
	},
	"keys are compared without case": {
		store{name: strings.ToLower},
		map[string]string{"TellsKeysApart": "want what was saved under that key"},
	},
	"keys are cut": {
		store{name: func(key string) string { return key[:min(63, len(key))] }},
		map[string]string{"TellsKeysApart": "want what was saved under that key"},
	},
	"an underscore is any character": {
		store{name: strings.NewReplacer(".", "_", "b", "_").Replace},
		map[string]string{"TellsKeysApart": "want what was saved under that key"},
	},
	"values end at a zero": {
		store{keep: func(value []byte) []byte { before, _, _ := bytes.Cut(value, []byte{0}); return bytes.Clone(before) }},
		map[string]string{"KeepsBytes": "one zero byte: Load gives"},
	},
	"values are text": {
		store{keep: func(value []byte) []byte { return bytes.ToValidUTF8(value, []byte("?")) }},
		map[string]string{"KeepsBytes": "no UTF-8: Load gives"},
	},
	"values are trimmed": {
		store{keep: func(value []byte) []byte { return bytes.TrimSpace(bytes.Clone(value)) }},
		map[string]string{"KeepsBytes": "ends of lines: Load gives"},
	},
	"values are cut": {
		store{keep: func(value []byte) []byte { return bytes.Clone(value[:min(32<<10, len(value))]) }},
		map[string]string{"KeepsBytes": "64,000 bytes: Load gives"},
	},
	"an empty value is none": {
		store{save: func(s *store, key string, fresh row) {
			if len(fresh.value) > 0 {
				s.rows[key] = fresh
			}
		}},
		map[string]string{"KeepsBytes": "no bytes: Load gives"},
	},
	"an ended context is no matter": {
		store{ended: func(error) error { return nil }},
		map[string]string{"EndedContext": "Load gives 1 values and no error"},
	},
	"an ended context loads nothing": {
		store{ended: func(error) error { return errEmpty }},
		map[string]string{"EndedContext": "Load gives 0 values and no error"},
	},
	"what was once seen stays": {
		store{load: func(s *store, key string) ([]byte, bool) {
			if s.seen == nil {
				s.seen = make(map[string][]byte)
			}
			if _, ok := s.seen[key]; !ok {
				s.seen[key], _ = s.row(key)
			}
			return bytes.Clone(s.seen[key]), s.seen[key] != nil
		}},
		map[string]string{"Replaces": `gives "first", want "a longer second"`, "Deletes": "does not find what was saved", "SharesAtOnce": "has no value",
			"Expires": "still gives a value", "KeepsBytes": "nil: Load gives"},
	},
	"a value is put in halves": {
		store{save: func(s *store, key string, fresh row) {
			// Only the key that many save has ever another long value.
			if old := s.rows[key].value; len(old) >= 2000 && len(fresh.value) >= 2000 && old[0] != fresh.value[0] {
				fresh.value = append(bytes.Clone(fresh.value[:1000]), old[1000:]...)
			}
			s.rows[key] = fresh
		}},
		map[string]string{"Concurrent": "want the whole of one value"},
	},
}
