package native

import (
	"net/http/httptest"
	"testing"
)

// Browsers leave port 80 out of the Host, and write names in lower case.
func TestHostOfTheAnswer(t *testing.T) {
	for _, test := range []struct {
		redirect, host string
		ours           bool
	}{
		{"127.0.0.1:80", "127.0.0.1", true},
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:8080", false},
		{"127.0.0.1:8080", "127.0.0.1", false},
		{"[::1]:80", "[::1]", true},
		{"LocalHost:8080", "localhost:8080", true},
		{"localhost:8080", "127.0.0.1:8080", false},
		{"127.0.0.1:8080", "127.0.0.1.evil.example:8080", false},
		{"127.0.0.1:80", "", false},
	} {
		c := &catcher{host: authority(test.redirect), path: "/callback"}
		r := httptest.NewRequest("POST", "http://x/callback", nil)
		r.Host = test.host
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if got := w.Code == 405; got != test.ours || !got && w.Code != 404 { // of the host nothing more is asked
			t.Errorf("%s at %s: got %d", test.host, test.redirect, w.Code)
		}
	}
}
