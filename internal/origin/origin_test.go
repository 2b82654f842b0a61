package origin

import (
	"net/http"
	"net/url"
	"testing"
)

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOf(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/x?y":     "https://a.example",
		"https://A.example:443":     "https://a.example",
		"https://a.example:80":      "https://a.example:80",
		"http://a.example:80/":      "http://a.example",
		"http://a.example:443/":     "http://a.example:443",
		"http://[::1]:8080/":        "http://[::1]:8080",
		"https://user@a.example/":   "https://a.example",
		"https://a.example:4430/":   "https://a.example:4430",
		"https://a.example.:443/x#": "https://a.example.",
		"https://a.example:/":       "https://a.example",
		"http://[::1]:/":            "http://[::1]",
	} {
		if got := Of(parse(t, in)); got != want {
			t.Errorf("Of(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLeft(t *testing.T) {
	for name, test := range map[string]struct {
		way  []string
		want bool
	}{
		"no redirect":      {[]string{"https://a.example/"}, false},
		"stayed":           {[]string{"https://a.example/", "https://a.example:443/2", "https://A.example/3"}, false},
		"left":             {[]string{"https://a.example/", "https://b.example/"}, true},
		"left and is back": {[]string{"https://a.example/", "https://b.example/", "https://a.example/"}, true},
		"other port":       {[]string{"https://a.example/", "https://a.example:8443/"}, true},
		"other scheme":     {[]string{"https://a.example/", "http://a.example/"}, true},
		"below":            {[]string{"https://a.example/", "https://api.a.example/"}, true},
	} {
		var r *http.Request
		for _, address := range test.way {
			next := &http.Request{URL: parse(t, address)}
			if r != nil {
				next.Response = &http.Response{Request: r}
			}
			r = next
		}
		if got := Left(r); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
