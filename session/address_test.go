package session

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
)

// literals reads a file with one Go string literal a line. A file with fewer
// than least is not the file that is meant.
func literals(t testing.TB, file string, least int) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := strconv.Unquote(line)
		if err != nil {
			t.Fatalf("%s:%d: %v", file, i+1, err)
		}
		all = append(all, s)
	}
	if len(all) < least {
		t.Fatalf("%s has %d lines, want at least %d", file, len(all), least)
	}
	return all
}

func TestV15OpenRedirect(t *testing.T) {
	hostile := literals(t, "openredirect.txt", 500)
	long := strings.Repeat("a", 9<<10)
	hostile = append(hostile, "/"+long, "//"+long, "/"+strings.Repeat("/", 9<<10), "/"+strings.Repeat("../", 3<<10)+"/e",
		"/"+strings.Repeat("%2e%2e/", 1<<10), "/?"+long, "/#"+long, "/"+strings.Repeat("a", maxAddress))
	for _, s := range hostile {
		if got, ok := localAddress(s); ok || got != "/" {
			t.Errorf("localAddress(%.80q) = %.80q, %v; want \"/\", false", s, got, ok)
		}
	}
}

func TestV15LocalAddressesSurvive(t *testing.T) {
	local := literals(t, "localaddress.txt", 60)
	local = append(local, "/"+strings.Repeat("a", maxAddress-1))
	for _, s := range local {
		if got, ok := localAddress(s); !ok || got != s {
			t.Errorf("localAddress(%.80q) = %.80q, %v; want it back", s, got, ok)
		}
		staysHere(t, s)
	}
}

// staysHere resolves an accepted address in the ways it will be read, from
// pages at several depths. All must stay on the app's own host.
func staysHere(t *testing.T, s string) {
	t.Helper()
	browser := strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s)
	browser = strings.Trim(browser, " \x00\x01\x0b\x0c\x1f")
	path, rest := browser, ""
	if i := strings.IndexAny(browser, "?#"); i >= 0 {
		path, rest = browser[:i], browser[i:]
	}
	browser = strings.ReplaceAll(path, "\\", "/") + rest
	for _, page := range []string{"https://app.example.com/x", "https://app.example.com/", "https://app.example.com/a/b/c?d=e"} {
		base, err := url.Parse(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, reading := range []string{s, browser} {
			u, err := base.Parse(reading)
			if err != nil {
				t.Fatalf("accepted %q, which does not parse: %v", s, err)
			}
			if u.Scheme != "https" || u.Host != "app.example.com" || u.User != nil {
				t.Fatalf("accepted %q, which leads to %s from %s", s, u, page)
			}
			again, err := url.Parse(u.EscapedPath())
			if err != nil || again.Host != "" {
				t.Fatalf("accepted %q, whose path %q names a host", s, u.EscapedPath())
			}
		}
	}
}

func FuzzLocalAddress(f *testing.F) {
	for _, s := range literals(f, "openredirect.txt", 500) {
		f.Add(s)
	}
	for _, s := range literals(f, "localaddress.txt", 60) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := localAddress(s)
		if !ok {
			if got != "/" {
				t.Fatalf("refused %q and gave %q", s, got)
			}
			return
		}
		if got != s {
			t.Fatalf("accepted %q and gave %q", s, got)
		}
		staysHere(t, s)
		if strings.ContainsAny(s, "\\\t\r\n\x00 ") || len(s) > maxAddress {
			t.Fatalf("accepted %q", s)
		}
		if again, ok := localAddress(got); !ok || again != s {
			t.Fatalf("accepted %q once and not twice", s)
		}
	})
}
