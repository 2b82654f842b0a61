package session

import (
	"testing"
	"time"
)

// What a revocation is about, each case by one thing apart from the first, which is over.
func TestRevocationIsByTime(t *testing.T) {
	at := func(seconds int) time.Time { return testTime.Add(time.Duration(seconds) * time.Second) }
	logout := revocation{issued: at(100), received: at(101)}
	cases := []struct {
		name            string
		by              revocation
		issued, created int
		over            bool
	}{
		{"signed in before", logout, 50, 50, true},
		{"at the same second", logout, 100, 50, true},
		{"with a later ID token", logout, 101, 50, false},
		{"begun while the token was on its way", logout, 50, 160, true},
		{"begun at the end of the leeway", logout, 50, 161, true},
		{"begun after it", logout, 50, 162, false},
		{"by ourselves: begun before", revocation{created: at(100)}, 500, 99, true},
		{"by ourselves: at that moment", revocation{created: at(100)}, 500, 100, true},
		{"by ourselves: begun after", revocation{created: at(100)}, 50, 101, false},
		{"none", revocation{}, 50, 50, false},
		{"both, and later than both", logout.merge(revocation{created: at(90)}), 101, 91, false},
		{"both, and before the one of ourselves", logout.merge(revocation{created: at(90)}), 101, 90, true},
		{"an older one does not undo it", logout.merge(revocation{issued: at(1), received: at(1)}), 50, 50, true},
	}
	for _, c := range cases {
		rec := &record{created: at(c.created), identity: identity{issued: at(c.issued)}}
		if got := c.by.over(rec); got != c.over {
			t.Errorf("%s: over %t, want %t", c.name, got, c.over)
		}
	}
}
