package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/postern-go/postern/client"
	"golang.org/x/crypto/bcrypt"
)

const dexUser = "alice@example.test"

// startDex runs dex, whose issuer has a path, with one user, dexUser. Its goroutines end
// with the test, but for one of OpenCensus: a package below dex starts that when
// the program starts, and nothing stops it.
func startDex(t *testing.T) (issuer string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(testLog{t}, nil))
	store := storage.WithStaticPasswords(memory.New(logger), []storage.Password{{Email: dexUser, Hash: hash, Username: "alice", UserID: "42"}}, logger)
	store = storage.WithStaticConnectors(store, []storage.Connector{{ID: server.LocalConnector, Type: server.LocalConnector, Name: "Email"}})
	store = storage.WithStaticClients(store, []storage.Client{
		{ID: "web", Secret: "secret", Name: "Web", RedirectURIs: []string{callbackURL}},
		{ID: "tv", Public: true, Name: "Television"},
	})
	policy, err := server.NewRefreshTokenPolicy(logger, false, "", "", "0s")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, "/dex", func(issuer string) http.Handler {
		dex, err := server.NewServer(t.Context(), server.Config{
			Issuer: issuer, Storage: store, Logger: logger, RefreshTokenPolicy: policy, PasswordConnector: server.LocalConnector,
			Web: server.WebConfig{Theme: "light"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return dex
	})
}

func dexClient(t *testing.T, issuer, secret string) *client.Client {
	t.Helper()
	return relyingParty(t, client.Config{
		Issuer: issuer, ClientID: "web", ClientSecret: secret, RedirectURL: callbackURL, Scopes: []string{"profile", "email", "offline_access"},
	})
}

// wantAlice checks the claims that dex has of its user.
func wantAlice(t *testing.T, tokens *client.Tokens) {
	t.Helper()
	claims := claimsOf[struct {
		Name, Email string
		Verified    bool `json:"email_verified"`
	}](t, tokens)
	if claims.Name != "alice" || claims.Email != dexUser || !claims.Verified || tokens.IDToken.Subject == "" {
		t.Errorf("got %+v of %q", claims, tokens.IDToken.Subject)
	}
	if tokens.RefreshToken == "" || tokens.Expiry.IsZero() || !strings.EqualFold(tokens.TokenType, "Bearer") {
		t.Errorf("got a %s token until %v", tokens.TokenType, tokens.Expiry)
	}
}

func TestDexSignIn(t *testing.T) {
	issuer := startDex(t)
	rp := dexClient(t, issuer, "secret")
	login := authorize(t, rp, nil)
	consent, asked := newPerson(t, callbackURL).open(login.URL()).signIn(dexUser)
	tokens := exchange(t, rp, login, consent.submit().callback())
	wantAlice(t, tokens)
	if asked != 1 || tokens.IDToken.Issuer != issuer || !strings.HasSuffix(issuer, "/dex") {
		t.Errorf("asked %d times for %s", asked, tokens.IDToken.Issuer)
	}
	if info, err := rp.UserInfo(t.Context(), tokens); err != nil || info.Subject != tokens.IDToken.Subject {
		t.Errorf("userinfo: %v", err)
	}

	renewed, err := rp.Refresh(t.Context(), tokens)
	if err != nil || renewed.RefreshToken == tokens.RefreshToken || renewed.IDToken.Subject != tokens.IDToken.Subject {
		t.Fatalf("refresh: %v", err)
	}
	if _, err := rp.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrRejected) || !refusedWith(err, "invalid_request") { // dex has its own word
		t.Errorf("the old refresh token: %v", err)
	}
}

func TestDexPassword(t *testing.T) {
	issuer := startDex(t)
	rp := dexClient(t, issuer, "secret")
	password := client.Password{Username: dexUser, Password: "pw"}
	tokens, err := rp.InsecurePassword(t.Context(), password, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantAlice(t, tokens)
	if renewed, err := rp.Refresh(t.Context(), tokens); err != nil || renewed.IDToken.Subject != tokens.IDToken.Subject {
		t.Errorf("refresh: %v", err)
	}
	wrong := client.Password{Username: dexUser, Password: "wrong"}
	if _, err := rp.InsecurePassword(t.Context(), wrong, nil); !errors.Is(err, client.ErrInvalidGrant) || !refusedWith(err, "access_denied") {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := rp.InsecurePassword(t.Context(), password, &client.GrantOptions{Scopes: []string{"openid", "unknown"}}); !errors.Is(err, client.ErrRejected) {
		t.Errorf("an unknown scope: %v", err)
	}
	if _, err := dexClient(t, issuer, "wrong").InsecurePassword(t.Context(), password, nil); !errors.Is(err, client.ErrRejected) || !refusedWith(err, "invalid_client") {
		t.Errorf("a wrong secret: %v", err)
	}
}

// A stutter sends the first token request twice, as a network may that loses an answer. It keeps
// what was answered, and when.
type stutter struct {
	mu      sync.Mutex
	answers []string // error codes; "": tokens
	times   []time.Time
}

func (s *stutter) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/token") {
		return http.DefaultTransport.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) == 0 {
		if _, err := s.send(req, body); err != nil {
			return nil, err
		}
	}
	return s.send(req, body)
}

func (s *stutter) send(req *http.Request, body []byte) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	var answer struct{ Error string }
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	s.answers, s.times = append(s.answers, answer.Error), append(s.times, time.Now())
	return resp, nil
}

func (s *stutter) seen() ([]string, []time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.answers), slices.Clone(s.times)
}

// dex says slow_down to who asks too often, and goes on saying it to who does not then
// wait the five seconds longer.
func TestDexDeviceSlowDown(t *testing.T) {
	slow := &stutter{}
	rp := relyingParty(t, client.Config{
		Issuer: startDex(t), ClientID: "tv", Scopes: []string{"profile", "email", "offline_access"}, HTTPClient: &http.Client{Transport: slow},
	})
	login, err := rp.Device(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		tokens *client.Tokens
		err    error
	}
	done := make(chan result, 1)
	go func() {
		tokens, err := rp.WaitDevice(t.Context(), login)
		done <- result{tokens, err}
	}()
	eventually(t, "two answers", func() (bool, error) {
		answers, _ := slow.seen()
		return len(answers) == 2, nil
	})
	page := newPerson(t, "").open(login.VerificationURI).submit("user_code", "AAAA-AAAA")
	if !strings.Contains(page.body, "Invalid or Expired User Code") {
		t.Errorf("another code:\n%s", page.body)
	}
	consent, _ := newPerson(t, "").open(login.VerificationURIComplete).submit().signIn(dexUser)
	if end := consent.submit(); !strings.Contains(end.body, "Login Successful for Television") {
		t.Fatalf("the last page (%d):\n%s", end.status, end.body)
	}
	got := <-done
	answers, times := slow.seen()
	if want := []string{"authorization_pending", "slow_down", ""}; got.err != nil || !slices.Equal(answers, want) {
		t.Fatalf("%q: %v", answers, got.err)
	}
	wantAlice(t, got.tokens)
	if waited := times[2].Sub(times[1]); waited < 10*time.Second || waited > 13*time.Second {
		t.Errorf("it waited %v after slow_down", waited)
	}
}
