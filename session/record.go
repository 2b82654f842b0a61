package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/postern-go/postern/client"
)

// A sessionID names a session, from one sign-in to its end. It is random and
// known to nobody but us: it travels only under a seal.
type sessionID [16]byte

// A record is what a session cookie holds. Who reads one checks its times:
// nothing here compares them with a clock.
type record struct {
	id      sessionID
	created time.Time // the sign-in
	expires time.Time // the hard end
	saved   time.Time // of two records of one session, the later one holds
	tokens  *client.Tokens
	values  map[string][]byte // the app's own, by name
}

// recordVersion is the first byte of a record. Another one is undecryptable.
const recordVersion = 1

// Format prints nothing of a record: it holds tokens.
func (r record) Format(f fmt.State, _ rune) { io.WriteString(f, "session.record[redacted]") }

// appendBinary appends the record to b. Times are kept to the millisecond.
func (r *record) appendBinary(b []byte) ([]byte, error) {
	b = append(b, recordVersion)
	b = append(b, r.id[:]...)
	for _, t := range [...]time.Time{r.created, r.expires, r.saved} {
		if !storable(t) {
			return nil, errors.New("a time of the session is not between 1970 and 9999")
		}
		b = appendTime(b, t)
	}
	var tokens []byte
	if r.tokens != nil {
		var err error
		if tokens, err = r.tokens.MarshalBinary(); err != nil {
			return nil, err
		}
	}
	b = appendField(b, tokens)
	b = binary.AppendUvarint(b, uint64(len(r.values)))
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		b = appendField(b, name)
		b = appendField(b, r.values[name])
	}
	return b, nil
}

// unmarshal restores what appendBinary wrote, and takes nothing else. The
// values share memory with data, which must not change afterwards.
func (r *record) unmarshal(data []byte) error {
	if len(data) == 0 || data[0] != recordVersion {
		return errUndecryptable
	}
	d := decoder{rest: data[1:]}
	*r = record{}
	copy(r.id[:], d.take(uint64(len(r.id))))
	r.created, r.expires, r.saved = d.time(), d.time(), d.time()
	tokens := d.field()
	count := d.uint()
	for last := ""; count > 0 && !d.failed; count-- {
		name, value := string(d.field()), d.field()
		// Names ascend, so none is there twice.
		d.failed = d.failed || len(r.values) > 0 && name <= last
		if r.values == nil {
			r.values = make(map[string][]byte)
		}
		r.values[name], last = value, name
	}
	if d.failed || len(d.rest) > 0 {
		return errUndecryptable
	}
	if len(tokens) > 0 {
		r.tokens = new(client.Tokens)
		if err := r.tokens.UnmarshalBinary(tokens); err != nil {
			return errUndecryptable
		}
	}
	return nil
}

// maxTime is the last millisecond of the year 9999.
const maxTime = 253402300799999

func storable(t time.Time) bool { return t.UnixMilli() >= 0 && t.UnixMilli() <= maxTime }

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(b, uint64(t.UnixMilli()))
}

func appendField[T string | []byte](b []byte, field T) []byte {
	b = binary.AppendUvarint(b, uint64(len(field)))
	return append(b, field...)
}

// A decoder reads fields off the front of rest. After a failure it gives zero
// values, so that a reader looks at failed once, at the end.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.failed, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// take gives the next n bytes, which cannot grow into those behind them.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.failed, d.rest = true, nil
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) field() []byte { return d.take(d.uint()) }

func (d *decoder) time() time.Time {
	ms := d.uint()
	if ms > maxTime {
		d.failed = true
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}
