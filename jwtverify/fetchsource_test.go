package jwtverify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// A claimsServer is the whole network: it answers for every host, and remembers what
// it was asked.
type claimsServer struct {
	asked  []*http.Request
	status int // 0: 200
	header http.Header
	body   io.Reader
	delay  time.Duration // before it answers
}

func (s *claimsServer) RoundTrip(req *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, req)
	select {
	case <-time.After(s.delay):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	header := s.header
	if header == nil {
		header = http.Header{"Content-Type": {"application/jwt"}}
	}
	body := s.body
	if body == nil {
		body = strings.NewReader("e30.e30.AA\n")
	}
	return &http.Response{StatusCode: max(s.status, 200), Header: header, Request: req, Body: io.NopCloser(body)}, nil
}

func (s *claimsServer) fetcher(hosts ...string) *jwtverify.SourceFetcher {
	return &jwtverify.SourceFetcher{Hosts: hosts, HTTPClient: &http.Client{Transport: s}}
}

func TestFetch(t *testing.T) {
	for _, c := range []struct{ host, endpoint, asked string }{
		{"claims.example.com", "https://claims.example.com/u?x=1", "https://claims.example.com/u?x=1"},
		{"claims.example.com", "https://claims.example.com", "https://claims.example.com"},
		{"claims.example.com", "HTTPS://Claims.EXAMPLE.com:443/u", "https://Claims.EXAMPLE.com:443/u"},
		{"Claims.Example.com:443", "https://claims.example.com/u", "https://claims.example.com/u"},
		{"claims.example.com:8443", "https://claims.example.com:8443/u", "https://claims.example.com:8443/u"},
		{"localhost", "http://localhost/u", "http://localhost/u"},
		{"localhost:80", "http://localhost/u", "http://localhost/u"},
		{"127.0.0.1:8080", "http://127.0.0.1:8080/u", "http://127.0.0.1:8080/u"},
		{"[::1]:8080", "http://[::1]:8080/u", "http://[::1]:8080/u"},
	} {
		s := &claimsServer{}
		jwt, err := s.fetcher("other.example.com", c.host).Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: c.endpoint, AccessToken: "ksj3n283dke"})
		if err != nil || jwt != "e30.e30.AA" {
			t.Errorf("%s from %s: %q, %v", c.endpoint, c.host, jwt, err)
			continue
		}
		req := s.asked[0]
		if len(s.asked) != 1 || req.Method != http.MethodGet || req.URL.String() != c.asked || req.Body != nil {
			t.Errorf("%s: %d requests, %s %s", c.endpoint, len(s.asked), req.Method, req.URL)
		}
		if req.Header.Get("Authorization") != "Bearer ksj3n283dke" || req.Header.Get("Accept") != "application/jwt" {
			t.Errorf("%s: asked with %v", c.endpoint, req.Header)
		}
	}
}

func TestFetchWithoutAccessToken(t *testing.T) {
	s := &claimsServer{header: http.Header{"Content-Type": {"Application/Claims+JWT; charset=utf-8"}}}
	if _, err := s.fetcher("claims.example.com").Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: "https://claims.example.com/"}); err != nil {
		t.Fatal(err)
	}
	if _, has := s.asked[0].Header["Authorization"]; has {
		t.Error("an Authorization header without a token")
	}
}

// TestFetchAggregated: there is nothing to fetch, wherever the endpoint points.
func TestFetchAggregated(t *testing.T) {
	s := &claimsServer{}
	jwt, err := s.fetcher().Fetch(t.Context(), jwtverify.ClaimSource{JWT: "e30.e30.BB", Endpoint: "https://claims.example.com/"})
	if err != nil || jwt != "e30.e30.BB" || len(s.asked) != 0 {
		t.Errorf("%q, %v, %d requests", jwt, err, len(s.asked))
	}
}

// TestFetchSendsNothingElsewhere is V-39: an address out of a token leads to no host
// but those that the program has named, in no spelling.
func TestFetchSendsNothingElsewhere(t *testing.T) {
	const notAllowed = "is not on one of SourceFetcher.Hosts"
	const notSecure = "is neither https nor http on a loopback host"
	for _, c := range []struct{ endpoint, reason string }{
		{"", "has neither a JWT nor an endpoint"},
		{"https://evil.example/", notAllowed},
		{"https://evil.example/claims.example.com", notAllowed},
		{"https://evil.example/?https://claims.example.com/", notAllowed},
		{"https://evil.example#claims.example.com", notAllowed},
		{"https://claims.example.com.evil.example/", notAllowed},
		{"https://evilclaims.example.com/", notAllowed},
		{"https://sub.claims.example.com/", notAllowed},
		{"https://example.com/", notAllowed},
		{"https://claims.example.com./", notAllowed},
		{"https://claims.example.com:/", notAllowed},
		{"https://claims.example.com:80/", notAllowed},
		{"https://claims.example.com:8443/", notAllowed},
		{"https://claims.example.com:0443/", notAllowed},
		{"https://claims.example.com:443:443/", "is no URL"},
		{"https://claims.example.com:x/", "is no URL"},
		{"https://cla\u0131ms.example.com/", notAllowed},
		{"https://c\u200blaims.example.com/", notAllowed},
		{"https://claims\uff0eexample.com/", notAllowed},
		{"https://claims.example.c\u1d52m/", notAllowed},
		{"https://\u212aeys.example.com/", notAllowed},
		{"https://cl%61ims.example.com/", "is no URL"},
		{"https://claims.example.com@evil.example/", "has a user name in it"},
		{"https://claims.example.com:443@evil.example/", "has a user name in it"},
		{"https://user:pass@claims.example.com/", "has a user name in it"},
		{"https://@claims.example.com/", "has a user name in it"},
		{`https://evil.example\@claims.example.com/`, "is no URL"},
		{`https://claims.example.com\.evil.example/`, "is no URL"},
		{"https://claims.example.com /", "is no URL"},
		{"https://claims.example.com\r\nHost: evil.example/", "is no URL"},
		{" https://claims.example.com/", "is no URL"},
		{"https:///u", notAllowed},
		{"https://:443/u", notAllowed},
		{"https:claims.example.com/u", notAllowed},
		{"//claims.example.com/u", notSecure},
		{"claims.example.com", notSecure},
		{"/u", notSecure},
		{"http://claims.example.com/", notSecure},
		{"http://claims.example.com:443/", notSecure},
		{"ftp://claims.example.com/", notSecure},
		{"file:///etc/passwd", notSecure},
		{"file://localhost/etc/passwd", notSecure},
		{"gopher://localhost/", notSecure},
		{"javascript:alert(1)", notSecure},
		{"http://169.254.169.254/latest/meta-data/", notSecure},
		{"https://169.254.169.254/latest/meta-data/", notAllowed},
		{"https://[fd00:ec2::254]/", notAllowed},
		{"https://[::ffff:169.254.169.254]/", notAllowed},
		{"https://2852039166/", notAllowed},
		{"http://localhost:8080/", notAllowed},
		{"http://127.0.0.1/", notAllowed},
		{"http://127.1/", notSecure},
		{"http://[::]/", notSecure},
		{"http://0.0.0.0/", notSecure},
		{"http://localhost.evil.example/", notSecure},
	} {
		s := &claimsServer{}
		f := s.fetcher("claims.example.com", "keys.example.com", "localhost:9090", "", ":443", "https://evil.example", "*", "cla\u0131ms.example.com")
		jwt, err := f.Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: c.endpoint, AccessToken: "secret-token"})
		if len(s.asked) != 0 {
			t.Errorf("%q: a request to %s", c.endpoint, s.asked[0].URL)
		}
		if jwt != "" || !errors.Is(err, jwtverify.ErrInvalid) || !strings.HasPrefix(err.Error(), "jwtverify: ") || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%q: %q, %v; want ErrInvalid because it %s", c.endpoint, jwt, err, c.reason)
		}
		if err != nil && (strings.Contains(err.Error(), "evil") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: the error shows it: %v", c.endpoint, err)
		}
	}
}

func TestFetchWithoutHosts(t *testing.T) {
	s := &claimsServer{}
	f := s.fetcher()
	if _, err := f.Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: "https://claims.example.com/"}); !errors.Is(err, jwtverify.ErrInvalid) || len(s.asked) != 0 {
		t.Errorf("%v, %d requests", err, len(s.asked))
	}
}

func TestFetchRefusesOddAccessTokens(t *testing.T) {
	for _, token := range []string{"a b", "a\r\nX-Evil: 1", "a\x00", "\u00e4", " ", "a\x7f"} {
		s := &claimsServer{}
		_, err := s.fetcher("claims.example.com").Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: "https://claims.example.com/", AccessToken: token})
		if !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), "characters that no token has") || len(s.asked) != 0 {
			t.Errorf("%q: %v, %d requests", token, err, len(s.asked))
		}
	}
}

// TestFetchFollowsNoRedirect: not even on the same host, and not where the client of
// the caller would.
func TestFetchFollowsNoRedirect(t *testing.T) {
	for _, location := range []string{"https://evil.example/", "https://claims.example.com/other", "http://169.254.169.254/", "/other", ""} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			s := &claimsServer{status: status, header: http.Header{"Location": {location}, "Content-Type": {"application/jwt"}}}
			if location == "" {
				s.header.Del("Location")
			}
			f := s.fetcher("claims.example.com", "evil.example", "169.254.169.254")
			f.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
			jwt, err := f.Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: "https://claims.example.com/u", AccessToken: "secret-token"})
			if jwt != "" || err == nil || errors.Is(err, jwtverify.ErrInvalid) || len(s.asked) != 1 {
				t.Errorf("%d to %q: %q, %v, %d requests", status, location, jwt, err, len(s.asked))
			}
			if err != nil && (!strings.Contains(err.Error(), "redirected") && location != "" || strings.Contains(err.Error(), "evil")) {
				t.Errorf("%d to %q: %v", status, location, err)
			}
		}
	}
}

func TestFetchRefusesAnswers(t *testing.T) {
	kind := func(text string) http.Header { return http.Header{"Content-Type": {text}} }
	for _, c := range []struct {
		name    string
		server  claimsServer
		invalid bool
		reason  string
	}{
		{"unauthorized", claimsServer{status: 401}, false, "the claim source answered with status 401"},
		{"not there", claimsServer{status: 404}, false, "answered with status 404"},
		{"down", claimsServer{status: 503}, false, "answered with status 503"},
		{"no content", claimsServer{status: 204}, false, "answered with status 204"},
		{"JSON", claimsServer{header: kind("application/json")}, true, `is no JWT, but "application/json"`},
		{"HTML", claimsServer{header: kind("text/html; charset=utf-8")}, true, `is no JWT, but "text/html; charset=utf-8"`},
		{"no type", claimsServer{header: http.Header{}}, true, `is no JWT, but ""`},
		{"type of no application", claimsServer{header: kind("text/x+jwt")}, true, `is no JWT, but "text/x+jwt"`},
		{"type too long", claimsServer{header: kind("x/" + strings.Repeat("y", 500))}, true, strings.Repeat("y", 62) + `..."`},
		{"type malformed", claimsServer{header: kind("application/jwt; =")}, true, `is no JWT`},
		{"large", claimsServer{body: strings.NewReader(strings.Repeat("a", 16<<10+1))}, true, "is larger than 16384 bytes"},
		{"endless", claimsServer{body: endless{}}, true, "is larger than 16384 bytes"},
		{"broken off", claimsServer{body: io.MultiReader(strings.NewReader("e30."), broken{})}, false, "reading the answer of the claim source: unexpected EOF"},
	} {
		jwt, err := c.server.fetcher("claims.example.com").Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: "https://claims.example.com/u", AccessToken: "secret-token"})
		if jwt != "" || err == nil || errors.Is(err, jwtverify.ErrInvalid) != c.invalid || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %q, %v; want the reason %q", c.name, jwt, err, c.reason)
		}
	}
	largest := claimsServer{body: strings.NewReader(strings.Repeat("a", 16<<10))}
	if jwt, err := largest.fetcher("claims.example.com").Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: "https://claims.example.com/u"}); err != nil || len(jwt) != 16<<10 {
		t.Errorf("the largest answer there may be: %d bytes, %v", len(jwt), err)
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestFetchInflatesNoBomb: what the transport unpacks counts, not what was sent.
func TestFetchInflatesNoBomb(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.CopyN(w, endless{}, 64<<20); err != nil {
		t.Fatal(err)
	}
	w.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwt")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	}))
	defer server.Close()
	f := &jwtverify.SourceFetcher{Hosts: []string{strings.TrimPrefix(server.URL, "http://")}, HTTPClient: server.Client()}
	jwt, err := f.Fetch(t.Context(), jwtverify.ClaimSource{Endpoint: server.URL})
	if jwt != "" || !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), "is larger than 16384 bytes") {
		t.Errorf("%d bytes, %v", len(jwt), err)
	}
}

// TestFetchWaitsTenSeconds: for the answer, and for all of its body.
func TestFetchWaitsTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := jwtverify.ClaimSource{Endpoint: "https://claims.example.com/u"}
		s := &claimsServer{delay: 9 * time.Second}
		if _, err := s.fetcher("claims.example.com").Fetch(t.Context(), src); err != nil {
			t.Errorf("after 9 s: %v", err)
		}
		s.delay = 11 * time.Second
		waited(t, 10*time.Second, func() error {
			_, err := s.fetcher("claims.example.com").Fetch(t.Context(), src)
			return err
		})
		waited(t, 10*time.Second, func() error {
			f := &jwtverify.SourceFetcher{Hosts: []string{"claims.example.com"}, HTTPClient: &http.Client{Transport: trickling{}}}
			_, err := f.Fetch(t.Context(), src)
			return err
		})
		waited(t, 3*time.Second, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := s.fetcher("claims.example.com").Fetch(ctx, src)
			return err
		})
	})
}

// waited asserts that f gives up after so long.
func waited(t *testing.T, want time.Duration, f func() error) {
	t.Helper()
	start := time.Now()
	err := f()
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jwtverify.ErrInvalid) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took != want {
		t.Errorf("gave up after %v, not %v", took, want)
	}
}

// trickling sends a byte a second, for as long as somebody listens.
type trickling struct{}

func (trickling) RoundTrip(req *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {"application/jwt"}}
	return &http.Response{StatusCode: 200, Header: header, Request: req, Body: io.NopCloser(trickle{req.Context()})}, nil
}

type trickle struct{ ctx context.Context }

func (b trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return copy(p[:1], "a"), nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}
