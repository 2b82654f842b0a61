package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDevice(t *testing.T) {
	for _, test := range []struct {
		name     string
		answer   map[string]any // changes; nil leaves one out
		uri      string
		complete string
		life     time.Duration
		interval time.Duration
	}{
		{"all", nil, testIssuer + "/go", testIssuer + "/go?user_code=WDJB-MJHT", 10 * time.Minute, 2 * time.Second},
		{"least", map[string]any{"verification_uri_complete": nil, "interval": nil}, testIssuer + "/go", "", 10 * time.Minute, 5 * time.Second},
		{"another host", map[string]any{"verification_uri": "https://example.com"}, "https://example.com", testIssuer + "/go?user_code=WDJB-MJHT", 10 * time.Minute, 2 * time.Second},
		{"a page by its fragment", map[string]any{"verification_uri": testIssuer + "/#/go"}, testIssuer + "/#/go", testIssuer + "/go?user_code=WDJB-MJHT", 10 * time.Minute, 2 * time.Second},
		{"Google's name", map[string]any{"verification_uri": nil, "verification_url": "https://www.google.com/device"}, "https://www.google.com/device", testIssuer + "/go?user_code=WDJB-MJHT", 10 * time.Minute, 2 * time.Second},
		{"numbers as strings", map[string]any{"expires_in": "900", "interval": "7"}, testIssuer + "/go", testIssuer + "/go?user_code=WDJB-MJHT", 15 * time.Minute, 7 * time.Second},
		{"interval 0", map[string]any{"interval": 0}, testIssuer + "/go", testIssuer + "/go?user_code=WDJB-MJHT", 10 * time.Minute, 5 * time.Second},
		{"for ever", map[string]any{"expires_in": 1e300}, testIssuer + "/go", testIssuer + "/go?user_code=WDJB-MJHT", maxPending, 2 * time.Second},
		{"unknown members", map[string]any{"message": "go there", "x": []int{1}}, testIssuer + "/go", testIssuer + "/go?user_code=WDJB-MJHT", 10 * time.Minute, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newGrantOP(t)
			p.handle("/device", answering(deviceAnswer(), test.answer))
			l, err := p.client(nil).Device(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if l.UserCode != "WDJB-MJHT" || l.VerificationURI != test.uri || l.VerificationURIComplete != test.complete ||
				!l.Expires.Equal(testStart.Add(test.life)) || l.pending.interval != test.interval || l.code != "device-code-CANARY" {
				t.Errorf("got %q %q %q until %v every %v", l.UserCode, l.VerificationURI, l.VerificationURIComplete, l.Expires, l.pending.interval)
			}
		})
	}
}

// answering answers with an answer and changes to it.
func answering(answer, changes map[string]any) func(*http.Request) (*http.Response, error) {
	for name, v := range changes {
		answer[name] = v
		if v == nil {
			delete(answer, name)
		}
	}
	return func(*http.Request) (*http.Response, error) { return jsonResponse(200, answer), nil }
}

func TestDeviceRejects(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer map[string]any
		want   string
	}{
		{"no device_code", map[string]any{"device_code": nil}, "device_code is missing"},
		{"device_code a number", map[string]any{"device_code": 1}, "device_code has the wrong type"},
		{"no user_code", map[string]any{"user_code": nil}, "user_code is missing"},
		{"user_code for a terminal", map[string]any{"user_code": "\x1b[2J"}, "user_code is not one of at most 64 ASCII characters"},
		{"user_code endless", map[string]any{"user_code": strings.Repeat("A", 65)}, "user_code is not one of at most 64 ASCII characters"},
		{"no verification_uri", map[string]any{"verification_uri": nil}, "verification_uri is empty"},
		{"verification_uri javascript", map[string]any{"verification_uri": "javascript:alert(1)"}, "verification_uri must be https, as the issuer is"},
		{"verification_uri http", map[string]any{"verification_uri": "http://op.example.com/go"}, "verification_uri must be https, as the issuer is"},
		{"verification_uri with a password", map[string]any{"verification_uri": "https://op.example.com@evil.example/"}, "verification_uri must not have a user name or password"},
		{"verification_uri with a fragment for a terminal", map[string]any{"verification_uri": testIssuer + "/#\x1b[2J"}, "verification_uri has characters that a URL does not have"},
		{"verification_uri_complete file", map[string]any{"verification_uri_complete": "file:///etc/passwd"}, "verification_uri_complete must be https, as the issuer is"},
		{"no expires_in", map[string]any{"expires_in": nil}, "expires_in is missing"},
		{"expires_in 0", map[string]any{"expires_in": 0}, "expires_in is missing"},
		{"expires_in words", map[string]any{"expires_in": "soon"}, "expires_in has the wrong type"},
		{"interval an object", map[string]any{"interval": map[string]any{}}, "interval has the wrong type"},
		{"in capitals", map[string]any{"Device_Code": "x"}, notMembers},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newGrantOP(t)
			p.handle("/device", answering(deviceAnswer(), test.answer))
			l, err := p.client(nil).Device(context.Background(), nil)
			want := "client: device authorization endpoint: rejected: status 200: " + test.want
			if l != nil || !errors.Is(err, ErrRejected) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// A script is what the token endpoint answers, one after the other; it notes when.
type script struct {
	start time.Time
	at    []string
}

// playing answers with each of steps in turn, on a clock that goes with the bubble's.
func (p *op) playing(steps ...string) *script {
	s := &script{start: time.Now()}
	p.handle("/token", func(r *http.Request) (*http.Response, error) {
		now := time.Since(s.start)
		p.advance(testStart.Add(now).Sub(p.clock()))
		s.at = append(s.at, now.String())
		step := "tokens"
		if len(s.at) <= len(steps) {
			step = steps[len(s.at)-1]
		}
		switch step {
		case "tokens":
			return jsonResponse(200, p.tokenAnswer()), nil
		case "down":
			return nil, errors.New("connection reset")
		case "hangs":
			<-r.Context().Done()
			return nil, r.Context().Err()
		case "503":
			return textResponse(503, "text/html", "<html>"), nil
		}
		return jsonResponse(400, map[string]any{"error": step, "error_description": "because"}), nil
	})
	return s
}

func bubbleClock(cfg *Config) {
	start := time.Now()
	cfg.Now = func() time.Time { return testStart.Add(time.Since(start)) }
}

func TestWaitDevice(t *testing.T) {
	const pending, slower = "authorization_pending", "slow_down"
	for _, test := range []struct {
		name  string
		steps []string
		at    string
	}{
		{"at once", nil, "[2s]"},
		{"after a while", []string{pending, pending}, "[2s 4s 6s]"},
		{"slow down", []string{slower, pending, slower, pending}, "[2s 9s 16s 28s 40s]"},
		{"in trouble", []string{"down", "503", pending, "tokens"}, "[2s 6s 14s 22s]"},
		{"no answer", []string{"hangs", pending}, "[2s 16s 20s]"},
		{"long trouble", []string{"503", "503", "503", "503", "503", "503", "503", "503"}, "[2s 6s 14s 30s 1m2s 2m2s 3m2s 4m2s 5m2s]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newGrantOP(t)
				c := p.client(bubbleClock)
				l, err := c.Device(context.Background(), nil)
				if err != nil {
					t.Fatal(err)
				}
				s := p.playing(test.steps...)
				tokens, err := c.WaitDevice(context.Background(), l)
				if err != nil {
					t.Fatal(err)
				}
				if tokens.AccessToken != "access-token-CANARY-1" || tokens.RefreshToken != "refresh-token-CANARY-1" ||
					tokens.IDToken.Subject != "alice" || !slices.Equal(tokens.Scope, []string{"openid"}) {
					t.Errorf("got %q", tokens.Scope)
				}
				if got := fmt.Sprint(s.at); got != test.at {
					t.Errorf("asked at %s, want %s", got, test.at)
				}
			})
		})
	}
}

func TestWaitDeviceEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []string
		want  error
		text  string
		at    string
	}{
		{"expired there", []string{"authorization_pending", "expired_token"}, ErrInvalidGrant, `client: token endpoint: grant no longer valid: status 400: "expired_token" "because"`, "[2s 4s]"},
		{"used before", []string{"invalid_grant"}, ErrInvalidGrant, `client: token endpoint: grant no longer valid: status 400: "invalid_grant" "because"`, "[2s]"},
		{"another error", []string{"invalid_client"}, ErrRejected, `client: token endpoint: rejected: status 400: "invalid_client" "because" (client_secret_basic was refused; if the secret is right, try Config.Auth: client.SecretPost{})`, "[2s]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newGrantOP(t)
				c := p.client(bubbleClock)
				l, err := c.Device(context.Background(), nil)
				if err != nil {
					t.Fatal(err)
				}
				s := p.playing(test.steps...)
				if _, err := c.WaitDevice(context.Background(), l); !errors.Is(err, test.want) || err.Error() != test.text {
					t.Errorf("got %v, want %s", err, test.text)
				}
				if got := fmt.Sprint(s.at); got != test.at {
					t.Errorf("asked at %s, want %s", got, test.at)
				}
			})
		})
	}
}

func TestWaitDeviceDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newGrantOP(t)
		c := p.client(bubbleClock)
		l, err := c.Device(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		p.playing("access_denied")
		_, err = c.WaitDevice(context.Background(), l)
		var e *AuthError
		if !errors.As(err, &e) || e.Code != "access_denied" || err.Error() != `client: the provider refused: "access_denied" "because"` {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitDeviceExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newGrantOP(t)
		p.handle("/device", answering(deviceAnswer(), map[string]any{"expires_in": 9, "interval": 4}))
		c := p.client(bubbleClock)
		l, err := c.Device(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := p.playing("authorization_pending", "authorization_pending", "authorization_pending")
		_, err = c.WaitDevice(context.Background(), l)
		if !errors.Is(err, ErrInvalidGrant) || err.Error() != "client: grant no longer valid: nobody decided in time" {
			t.Errorf("got %v", err)
		}
		if got := fmt.Sprint(s.at, time.Since(s.start)); got != "[4s 8s] 9s" {
			t.Errorf("asked at %s", got)
		}
	})
}

func TestWaitDeviceContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newGrantOP(t)
		c := p.client(bubbleClock)
		l, err := c.Device(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := p.playing("authorization_pending", "hangs")
		for want, life := range map[string]time.Duration{"[2s]": 3 * time.Second, "[]": 0} { // between two requests, and before the first
			s.at = []string{}
			s.start = time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), life)
			if _, err := c.WaitDevice(ctx, l); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(s.start) != life {
				t.Errorf("got %v after %v", err, time.Since(s.start))
			}
			cancel()
			if got := fmt.Sprint(s.at); got != want {
				t.Errorf("asked at %s, want %s", got, want)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) { // in the middle of one
		p := newGrantOP(t)
		c := p.client(bubbleClock)
		l, err := c.Device(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := p.playing("hangs")
		ctx, cancel := context.WithCancel(context.Background())
		defer time.AfterFunc(3*time.Second, cancel).Stop()
		if _, err := c.WaitDevice(ctx, l); !errors.Is(err, context.Canceled) || fmt.Sprint(s.at, time.Since(s.start)) != "[2s] 3s" {
			t.Errorf("got %v, asked at %v", err, s.at)
		}
		tokens, err := c.WaitDevice(context.Background(), l) // it may be called again
		if err != nil || tokens.IDToken == nil {
			t.Error(err)
		}
	})
}

func TestWaitOfAnotherClient(t *testing.T) {
	p := newGrantOP(t)
	l, err := p.client(nil).Device(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	other := p.client(func(cfg *Config) { cfg.ClientID = "other" })
	const want = "client: rejected: the sign-in was not begun by this client"
	if _, err := other.WaitDevice(context.Background(), l); !errors.Is(err, ErrRejected) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	l.pending.issuer = "https://other.example"
	if _, err := p.client(nil).WaitDevice(context.Background(), l); !errors.Is(err, ErrRejected) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, l := range []*DeviceLogin{nil, {}} {
		if _, err := other.WaitDevice(context.Background(), l); !errors.Is(err, ErrRejected) || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
	p.wantRequests("/token")
}

// openid is always asked for, so that an ID token comes unless it was not granted.
func TestWaitDeviceIDToken(t *testing.T) {
	for scope, want := range map[string]string{
		`,"scope":"profile"`:        "",
		`,"scope":"profile openid"`: "client: rejected: the token answer has no id_token, although openid was granted",
		``:                          "client: rejected: the token answer has no id_token, although openid was granted",
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newGrantOP(t)
			c := p.client(nil)
			l, err := c.Device(context.Background(), &GrantOptions{Scopes: []string{"profile"}})
			if err != nil {
				t.Fatal(err)
			}
			p.reply("/token", 200, "application/json", `{"access_token":"a","token_type":"Bearer"`+scope+`}`)
			tokens, err := c.WaitDevice(context.Background(), l)
			if want == "" && (err != nil || tokens.IDToken != nil) || want != "" && (!errors.Is(err, ErrRejected) || err.Error() != want) {
				t.Errorf("%s: got %v, want %s", scope, err, want)
			}
		})
	}
}
