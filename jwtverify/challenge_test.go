package jwtverify_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// A challengeText is one challenge of a WWW-Authenticate header, taken apart.
type challengeText struct {
	scheme string
	params map[string]string
}

// What the values of parameters may have: RFC 6750 3, RFC 9470 3, RFC 9449 7.1. A realm
// may have more.
var challengeValues = map[string]*regexp.Regexp{
	"realm":             regexp.MustCompile(`^[ -~]+$`),
	"scope":             regexp.MustCompile(`^[!#-\[\]-~]+( [!#-\[\]-~]+)*$`),
	"error":             regexp.MustCompile(`^[a-z_]+$`),
	"error_description": regexp.MustCompile(`^[ !#-\[\]-~]+$`),
	"resource_metadata": regexp.MustCompile(`^https?://[!#-\[\]-~]+$`),
	"acr_values":        regexp.MustCompile(`^[!#-\[\]-~]+( [!#-\[\]-~]+)*$`),
	"max_age":           regexp.MustCompile(`^[0-9]+$`),
	"algs":              regexp.MustCompile(`^[A-Za-z0-9]+( [A-Za-z0-9]+)*$`),
}

var challengeParam = regexp.MustCompile(`^([a-z_]+)="((?:[^"\\]|\\["\\])*)"`)

// parseChallenge reads a challenge in the one form that this package writes.
func parseChallenge(text string) (challengeText, error) {
	scheme, rest, more := strings.Cut(text, " ")
	if scheme != "Bearer" && scheme != "DPoP" {
		return challengeText{}, fmt.Errorf("scheme %q", scheme)
	}
	c := challengeText{scheme, map[string]string{}}
	for more {
		m := challengeParam.FindStringSubmatch(rest)
		if m == nil {
			return c, fmt.Errorf("no parameter at %q", rest)
		}
		value := regexp.MustCompile(`\\(.)`).ReplaceAllString(m[2], "$1")
		allowed, known := challengeValues[m[1]]
		if _, twice := c.params[m[1]]; twice || !known || !allowed.MatchString(value) {
			return c, fmt.Errorf("parameter %s=%q", m[1], value)
		}
		c.params[m[1]] = value
		rest = rest[len(m[0]):]
		rest, more = strings.CutPrefix(rest, ", ")
	}
	if rest != "" {
		return c, fmt.Errorf("%q behind it all", rest)
	}
	if c.params["error_description"] != "" && c.params["error"] == "" {
		return c, fmt.Errorf("a description of no error")
	}
	return c, nil
}

// b64Token is the grammar of RFC 6750 2.1.
var b64Token = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// FuzzAuthorization: whatever the header says, only what has the form of a token reaches
// the verifier, and only as it stands in the header; the answer to all else is a 401
// whose challenges can be read.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"", "Bearer good", "bearer  good==", "DPoP good", "Bearer a, Bearer b", "Bearer\tgood", "Basic Z29vZDo=", "Bearer =", "\x00", "Bearer " + strings.Repeat("a.", 9000)} {
		f.Add(seed, "", false)
		f.Add(seed, "e30.e30.c2ln", true)
	}
	f.Fuzz(func(t *testing.T, header, proof string, dpop bool) {
		var asked []string
		b := &jwtverify.Bearer{Tokens: recording{&asked}, Resource: "https://api.example.com", Logger: slog.New(slog.DiscardHandler)}
		if dpop {
			b.DPoP = &jwtverify.DPoP{}
		}
		r := get(header)
		r.Header["Dpop"] = []string{proof}
		w := httptest.NewRecorder()
		b.Require("read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") })).ServeHTTP(w, r)
		for _, raw := range asked {
			scheme, _, _ := strings.Cut(header, " ")
			if !b64Token.MatchString(raw) || len(raw) > 24<<10 || !strings.HasSuffix(header, " "+raw) ||
				!strings.EqualFold(scheme, "Bearer") && !(dpop && strings.EqualFold(scheme, "DPoP")) {
				t.Errorf("%q: the verifier was asked about %q", header, raw)
			}
		}
		if w.Code != http.StatusUnauthorized || len(asked) > 1 {
			t.Errorf("%q: %d after %d questions", header, w.Code, len(asked))
		}
		checkChallenges(t, w.Header(), dpop)
	})
}

type recording struct{ asked *[]string }

func (v recording) AccessToken(_ context.Context, raw string) (*jwtverify.AccessToken, error) {
	*v.asked = append(*v.asked, raw)
	return nil, fmt.Errorf("%w: \"\r\nX: %s", jwtverify.ErrInvalid, raw)
}

func checkChallenges(t *testing.T, h http.Header, dpop bool) {
	t.Helper()
	var schemes []string
	for _, line := range h.Values("WWW-Authenticate") {
		c, err := parseChallenge(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if c.params["scope"] != "read" || c.params["resource_metadata"] == "" || (c.params["algs"] != "") != (c.scheme == "DPoP") {
			t.Errorf("%s", line)
		}
		schemes = append(schemes, c.scheme)
	}
	slices.Sort(schemes)
	want := []string{"Bearer"}
	if dpop {
		want = append(want, "DPoP")
	}
	if !slices.Equal(schemes, want) {
		t.Errorf("challenges of %q, want %q", schemes, want)
	}
}

// FuzzChallenge: whatever a Bearer and its rules are made of, the challenge says exactly
// that, or the request is a 500.
func FuzzChallenge(f *testing.F) {
	f.Add("my API", "https://api.example.com/v1", "read", "mfa")
	f.Add(`a "quoted" \ realm`, "http://localhost:8080/", "a:b/c", "urn:x:y")
	f.Add("a\r\nSet-Cookie: x=y", "https://a.example/\"", "read write", "")
	f.Add("", "", "", "ä")
	f.Fuzz(func(t *testing.T, realm, resource, scope, acr string) {
		b := &jwtverify.Bearer{Tokens: verdict{token: &jwtverify.AccessToken{Scope: []string{scope}}}, Realm: realm, Resource: resource, Logger: slog.New(slog.DiscardHandler)}
		guard := func(next http.Handler) http.Handler {
			return b.Require(scope)(b.Guard(jwtverify.HasACR(acr))(next))
		}
		for _, r := range []*http.Request{get(), get("Bearer good"), get("Bearer ")} {
			w := httptest.NewRecorder()
			guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") })).ServeHTTP(w, r)
			lines := w.Header().Values("WWW-Authenticate")
			if w.Code == http.StatusInternalServerError && lines == nil {
				continue
			}
			if w.Code != http.StatusUnauthorized || len(lines) != 1 {
				t.Fatalf("%d with %q", w.Code, lines)
			}
			c, err := parseChallenge(lines[0])
			if err != nil {
				t.Fatalf("%s: %v", lines[0], err)
			}
			if c.params["realm"] != realm || (c.params["resource_metadata"] != "") != (resource != "") ||
				c.params["scope"] != scope && c.params["acr_values"] != acr {
				t.Errorf("realm %q, resource %q, scope %q, acr %q: %s", realm, resource, scope, acr, lines[0])
			}
		}
	})
}
