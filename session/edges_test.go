package session

import (
	"log/slog"
	"testing"
	"time"
)

// TestEndsEarlier: of what the cookie says and what the configuration says, the earlier
// end holds.
func TestEndsEarlier(t *testing.T) {
	rec := testRecord()
	for lifetime, want := range map[time.Duration]time.Duration{11 * time.Hour: 11 * time.Hour, 13 * time.Hour: 12 * time.Hour} {
		m := &Manager{cfg: Config{Lifetime: lifetime}}
		if got := m.ends(rec); !got.Equal(rec.created.Add(want)) {
			t.Errorf("lifetime %v: ends after %v, want %v", lifetime, got.Sub(rec.created), want)
		}
	}
}

func TestReasonLevel(t *testing.T) {
	for reason, want := range map[string]slog.Level{
		ReasonUndecryptable: slog.LevelWarn, ReasonUnknownKey: slog.LevelWarn, ReasonNoSession: slog.LevelDebug, ReasonExpired: slog.LevelDebug,
	} {
		if got := reasonLevel(reason); got != want {
			t.Errorf("%s: %v, want %v", reason, got, want)
		}
	}
}

// TestAfter: a record is later than the one before it, whatever the clock says.
func TestAfter(t *testing.T) {
	for _, c := range []struct{ now, want time.Duration }{
		{-time.Second, time.Millisecond}, {0, time.Millisecond}, {time.Millisecond, time.Millisecond}, {time.Second, time.Second},
	} {
		if got := after(testTime, testTime.Add(c.now)); !got.Equal(testTime.Add(c.want)) {
			t.Errorf("at %v: %v, want %v", c.now, got.Sub(testTime), c.want)
		}
	}
}

// TestNewestValues: what the cookie has is kept where it is newer than what is remembered.
func TestNewestValues(t *testing.T) {
	for saved, want := range map[time.Duration]string{-time.Second: "cookie", time.Second: "memory"} {
		m, rec := &Manager{values: newMemory[values](1)}, testRecord()
		rec.values = map[string][]byte{"from": []byte("cookie")}
		m.values.put(keyOf("values", string(rec.id[:])), values{map[string][]byte{"from": []byte("memory")}, rec.saved.Add(saved)}, testTime, rec.expires)
		if got := string(m.newestValues(rec, testTime).all["from"]); got != want {
			t.Errorf("saved %v later: %s, want %s", saved, got, want)
		}
	}
}
