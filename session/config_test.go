package session

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

func testClient(t testing.TB, redirectURL string) *client.Client {
	t.Helper()
	rp, err := client.New(client.Config{Issuer: "https://op.example.com", ClientID: "web", RedirectURL: redirectURL})
	if err != nil {
		t.Fatal(err)
	}
	return rp
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]struct {
		change   func(*Config)
		redirect string
		reason   string // empty: accepted
	}{
		"nothing given":               {},
		"loopback":                    {redirect: "http://127.0.0.1:8080/cb"},
		"localhost":                   {redirect: "http://localhost/cb"},
		"private-use scheme":          {redirect: "com.example.app:/cb", reason: "redirect URL"},
		"no redirect URL":             {redirect: "none", reason: "redirect URL"},
		"redirect to the front page":  {redirect: appURL, reason: "a path of its own"},
		"redirect to /":               {redirect: appURL + "/", reason: "a path of its own"},
		"redirect to the login":       {redirect: appURL + "/auth/login", reason: "another route of this package"},
		"redirect to the logout":      {change: func(c *Config) { c.LogoutPath = "/cb" }, redirect: appURL + "/cb", reason: "another route of this package"},
		"redirect to the popup":       {redirect: appURL + "/auth/popup", reason: "another route of this package"},
		"redirect to a logout":        {redirect: appURL + "/auth/backchannel-logout", reason: "another route of this package"},
		"login at another route":      {change: func(c *Config) { c.LoginPath = "/auth/switch" }, reason: "LoginPath: \"/auth/switch\" is another route"},
		"logout at another route":     {change: func(c *Config) { c.Prefix, c.LogoutPath = "/a", "/a/check-session" }, reason: "LogoutPath: \"/a/check-session\" is another route"},
		"redirect to the session":     {redirect: appURL + "/auth/session", reason: "another route of this package"},
		"own paths":                   {change: func(c *Config) { c.LoginPath, c.LogoutPath = "/in", "/out" }},
		"prefix / ":                   {change: func(c *Config) { c.Prefix = "/" }},
		"prefix without slash":        {change: func(c *Config) { c.Prefix = "auth" }, reason: "Prefix"},
		"prefix with slash behind":    {change: func(c *Config) { c.Prefix = "/auth/" }, reason: "Prefix"},
		"prefix that is a pattern":    {change: func(c *Config) { c.Prefix = "/{x}" }, reason: "Prefix"},
		"prefix of another host":      {change: func(c *Config) { c.Prefix = "//evil.example" }, reason: "Prefix"},
		"prefix with query":           {change: func(c *Config) { c.Prefix = "/x?y" }, reason: "Prefix"},
		"login path without slash":    {change: func(c *Config) { c.LoginPath = "login" }, reason: "LoginPath: \"login\" does not start with a slash"},
		"login path like a host":      {change: func(c *Config) { c.LoginPath = "/\u2044evil.example" }, reason: "is not a local address"},
		"login path that is long":     {change: func(c *Config) { c.LoginPath = "x" + strings.Repeat("y", 100) }, reason: "\"x" + strings.Repeat("y", 63) + "...\" does not start"},
		"logout path with a dot":      {change: func(c *Config) { c.LogoutPath = "/a/../b" }, reason: "LogoutPath"},
		"one path for both":           {change: func(c *Config) { c.LoginPath, c.LogoutPath = "/x", "/x" }, reason: "both"},
		"negative lifetime":           {change: func(c *Config) { c.Lifetime = -1 }, reason: "negative"},
		"negative idle":               {change: func(c *Config) { c.Idle = -1 }, reason: "negative"},
		"negative attempt":            {change: func(c *Config) { c.AttemptLifetime = -1 }, reason: "negative"},
		"negative budget":             {change: func(c *Config) { c.CookieBudget = -1 }, reason: "Config.CookieBudget: -1 is not between"},
		"small budget":                {change: func(c *Config) { c.CookieBudget = 10 }, reason: "Config.CookieBudget: 10 is not between"},
		"SameSite None":               {change: func(c *Config) { c.SameSite = http.SameSiteNoneMode }, reason: "SameSite: None would send"},
		"SameSite Strict":             {change: func(c *Config) { c.SameSite = http.SameSiteStrictMode }},
		"SameSite of tomorrow":        {change: func(c *Config) { c.SameSite = 9 }, reason: "SameSite: unknown value 9"},
		"SameSite of yesterday":       {change: func(c *Config) { c.SameSite = -1 }, reason: "SameSite: unknown value -1"},
		"sessions in no store":        {change: func(c *Config) { c.SessionsInStore = true }, reason: "SessionsInStore without a Store"},
		"after logout elsewhere":      {change: func(c *Config) { c.AfterLogout = "https://evil.example/" }, reason: "AfterLogout"},
		"after logout here":           {change: func(c *Config) { c.AfterLogout = "/bye?x" }},
		"post logout URL by http":     {change: func(c *Config) { c.PostLogoutRedirectURL = "http://app.example.com/" }, reason: "PostLogoutRedirectURL"},
		"post logout URL relative":    {change: func(c *Config) { c.PostLogoutRedirectURL = "/bye" }, reason: "PostLogoutRedirectURL"},
		"post logout URL with a user": {change: func(c *Config) { c.PostLogoutRedirectURL = "https://a@app.example.com/" }, reason: "PostLogoutRedirectURL"},
		"post logout URL by ftp":      {change: func(c *Config) { c.PostLogoutRedirectURL = "ftp://localhost/bye" }, reason: "is neither https nor http"},
		"post logout URL that is bad": {change: func(c *Config) { c.PostLogoutRedirectURL = "https://app.example.com/%zz" }, reason: "PostLogoutRedirectURL: not a URL"},
		"post logout URL":             {change: func(c *Config) { c.PostLogoutRedirectURL = "https://www.example.com/bye" }},
		"name that is no cookie name": {change: func(c *Config) { c.Name = "a b" }, reason: "Config.Name: the name"},
		"empty secret":                {change: func(c *Config) { c.Secrets = []string{""} }, reason: "openssl rand"},
		"short secret":                {change: func(c *Config) { c.Secrets = []string{"short"} }, reason: "at least 32"},
		"second secret short":         {change: func(c *Config) { c.Secrets = []string{testSecret(1), "short"} }, reason: "secret 2 of 2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			redirect := or(tt.redirect, appCallback)
			if redirect == "none" {
				redirect = ""
			}
			cfg := Config{Secrets: []string{testSecret(1)}}
			if tt.change != nil {
				tt.change(&cfg)
			}
			m, err := New(testClient(t, redirect), cfg)
			if tt.reason == "" {
				if err != nil || m == nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "session: ") || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("%v, want %q", err, tt.reason)
			}
		})
	}
	if _, err := New(nil, Config{}); err == nil || err.Error() != "session: no client" {
		t.Errorf("without a client: %v", err)
	}
}

func TestRandomSecretIsWarnedOf(t *testing.T) {
	for _, secrets := range [][]string{nil, {testSecret(1)}} {
		logs := &logBuffer{}
		if _, err := New(testClient(t, appCallback), Config{Secrets: secrets, Logger: slog.New(slog.NewJSONHandler(logs, nil))}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(logs.String(), `"WARN"`); got != 1-len(secrets) {
			t.Errorf("%d secrets: %s", len(secrets), logs)
		}
	}
}

// The routes stand beside what an app has, with methods and without.
func TestRoutes(t *testing.T) {
	for _, pattern := range []string{"/", "GET /", "POST /", "/auth/", "GET /{page...}", "/{$}"} {
		m, err := New(testClient(t, appCallback), Config{Secrets: []string{testSecret(1)}})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle(pattern, http.NotFoundHandler())
		m.Routes(mux) // panics where patterns are in conflict
		for target, want := range map[string]string{
			"GET /auth/login": "GET /auth/login", "GET /auth/callback": "GET /auth/callback", "POST /auth/callback": "POST /auth/callback",
			"GET /auth/logout": "GET /auth/logout", "POST /auth/logout": "POST /auth/logout",
		} {
			method, path, _ := strings.Cut(target, " ")
			r, _ := http.NewRequest(method, appURL+path, nil)
			if _, got := mux.Handler(r); got != want {
				t.Errorf("beside %q, %s goes to %q", pattern, target, got)
			}
		}
	}
}

func TestMemory(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := newMemory[int](3)
	if !m.empty() {
		t.Error("a new memory has something")
	}
	for i, key := range []string{"a", "b", "c", "a", "d"} {
		m.put(keyOf(key), i, now, now.Add(time.Hour))
	}
	for key, want := range map[string]int{"a": 3, "c": 2, "d": 4} { // b was the oldest
		if got, ok := m.get(keyOf(key), now); got != want || !ok {
			t.Errorf("%s is %d, %v", key, got, ok)
		}
	}
	if _, ok := m.get(keyOf("b"), now); ok || len(m.entries) != 3 || m.order.Len() != 3 {
		t.Errorf("b is there, or %d entries", len(m.entries))
	}
	m.shorten(keyOf("a"), now.Add(time.Minute))
	m.shorten(keyOf("a"), now.Add(2*time.Hour)) // no longer than it was
	m.forget(keyOf("c"))
	m.forget(keyOf("c"))
	if _, ok := m.get(keyOf("a"), now.Add(time.Minute-1)); !ok {
		t.Error("a is gone before its time")
	}
	if _, ok := m.get(keyOf("a"), now.Add(time.Minute)); ok {
		t.Error("a is there after its time")
	}
	m.put(keyOf("e"), 5, now.Add(2*time.Hour), now.Add(3*time.Hour))
	if len(m.entries) != 1 { // swept
		t.Errorf("%d entries", len(m.entries))
	}
}

func TestKeyOfPartsAreApart(t *testing.T) {
	seen := map[memoryKey][]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"b", "a"}, {"a", "b", ""}, {"\x01a"}, {strings.Repeat("x", 3000)}} {
		key := keyOf(parts...)
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q have one key", parts, other)
		}
		seen[key] = parts
	}
}

// Processes that share a Store and no secret would send everybody to sign in again and again.
func TestStoreWantsSecrets(t *testing.T) {
	rp := testClient(t, appCallback)
	if _, err := New(rp, Config{Store: newCountingStore()}); err == nil || !strings.Contains(err.Error(), "a Store without Secrets") {
		t.Errorf("without: %v", err)
	}
	for name, cfg := range map[string]Config{
		"with Secrets":  {Store: newCountingStore(), Secrets: []string{testSecret(1)}},
		"a MemoryStore": {Store: new(MemoryStore)},
	} {
		if _, err := New(rp, cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
