package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/oauth2"
)

// renderings are all the ways in which a value ends up in a log.
func renderings(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	nested := struct{ V any }{v}
	fmt.Fprintf(&b, "%v %+v %#v\n", nested, nested, nested)
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("x", "v", v, "nested", nested, slog.Group("g", "v", v))
	}
	for _, v := range []any{v, nested, map[string]any{"v": v}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		b.Write(text)
	}
	return b.String()
}

func TestRedaction(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, nil)
	tokens := p.signIn(c)
	secrets := goodSecrets()
	secrets.State, secrets.Nonce = "state-CANARY-0123456789", "nonce-CANARY-0123456789"
	canaries := []string{"CANARY", login.state, login.nonce, string(login.verifier), tokens.IDToken.Raw(), string(secrets.Verifier)}
	for _, v := range []any{
		*login, login, *tokens, tokens, secrets, &secrets, p.config(), c,
		LogoutOptions{IDToken: tokens.IDToken}, &LogoutOptions{IDToken: tokens.IDToken, State: "state-CANARY"},
		c.TokenSource(tokens, new(saver).save),
	} {
		text := renderings(t, v)
		for _, canary := range canaries {
			// %x of a value without the method would show the bytes of its strings.
			for _, shown := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary))} {
				if strings.Contains(text, shown) {
					t.Errorf("%T shows %q:\n%s", v, canary, text)
				}
			}
		}
	}
}

func TestRedactedConfigStillHelps(t *testing.T) {
	const want = "{Issuer:https://op.example.com ClientID:web ClientSecret:[redacted] RedirectURL:https://app.example.com/auth/callback Scopes:[]}"
	p := newOP(t)
	if got := fmt.Sprintf("%+v", p.config()); got != want {
		t.Errorf("got %s", got)
	}
	public := Config{ClientID: "app"}
	if got := fmt.Sprint(public); !strings.Contains(got, "ClientSecret:none") {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(p.client(nil)); got != "{Issuer:https://op.example.com ClientID:web}" {
		t.Errorf("got %s", got)
	}
}

// V-42: a provider that repeats everything it is sent, in every place where an
// error could pick it up.
func TestV42NoSecretInErrors(t *testing.T) {
	p := newOP(t)
	c := p.client(func(cfg *Config) { cfg.Auth = SecretPost{} })
	ctx := context.Background()
	tokens := p.signIn(c)
	var shown bytes.Buffer
	show := func(err error) {
		t.Helper()
		if err == nil {
			t.Error("no error to look at")
			return
		}
		fmt.Fprintln(&shown, renderings(t, err))
		for e := err; e != nil; e = errors.Unwrap(e) {
			fmt.Fprintf(&shown, "%v %+v\n", e, e)
		}
		var re *oauth2.RetrieveError
		if errors.As(err, &re) {
			fmt.Fprintf(&shown, "%v %+v\n", re, re)
		}
	}
	secrets := []string{"CANARY", tokens.IDToken.Raw()}
	everything := func(req *http.Request) string {
		var b bytes.Buffer
		if req.GetBody != nil {
			body, _ := req.GetBody()
			b.ReadFrom(body)
		}
		q, _ := url.ParseQuery(b.String())
		return fmt.Sprint(q, req.Header)
	}
	echoes := []func(*http.Request) (*http.Response, error){
		func(r *http.Request) (*http.Response, error) {
			return jsonResponse(400, map[string]any{"error": "x", "error_description": everything(r), "error_uri": everything(r)}), nil
		},
		func(r *http.Request) (*http.Response, error) {
			return jsonResponse(400, map[string]any{"error": everything(r)}), nil
		},
		func(r *http.Request) (*http.Response, error) {
			return jsonResponse(200, map[string]any{"error": "y", "error_description": everything(r)}), nil
		},
		func(r *http.Request) (*http.Response, error) {
			return textResponse(500, "text/html", everything(r)), nil
		},
		func(r *http.Request) (*http.Response, error) { return textResponse(200, everything(r), "{}"), nil },
		func(r *http.Request) (*http.Response, error) {
			return jsonResponse(200, map[string]any{"access_token": "access-token-CANARY-2", "token_type": everything(r)}), nil
		},
		func(r *http.Request) (*http.Response, error) {
			return redirectTo(302, "https://evil.example/?"+url.QueryEscape(everything(r)))(r)
		},
		func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("malformed HTTP response %q", everything(r))
		},
	}
	for _, echo := range echoes {
		p.handle("/token", echo)
		p.handle("/userinfo", echo)
		p.handle("/revoke", echo)
		p.handle("/introspect", echo)
		login := p.authorize(c, nil)
		secrets = append(secrets, login.state, login.nonce, string(login.verifier))
		_, err := c.Exchange(ctx, login, callbackOf(login))
		show(err)
		_, err = c.Exchange(ctx, login, callbackOf(login))
		show(err)
		_, err = c.Exchange(ctx, p.authorize(c, nil), url.Values{"state": {login.state}, "code": {"code-CANARY-2"}})
		show(err)
		refused := url.Values{"state": {login.state}, "error": {"z"}, "error_description": {login.state + login.nonce}}
		_, err = c.Exchange(ctx, login, refused)
		show(err)
		_, err = c.Refresh(ctx, tokens)
		show(err)
		_, err = c.UserInfo(ctx, tokens)
		show(err)
		_, err = c.Introspect(ctx, tokens.AccessToken)
		show(err)
		_, err = (&Introspector{Client: c, Audience: "https://api.example.com"}).AccessToken(ctx, tokens.AccessToken)
		show(err)
		if err := c.Revoke(ctx, tokens); err != nil { // it looks at nothing but the status
			show(err)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("an error shows %q", secret)
		}
	}
	if !strings.Contains(shown.String(), redacted) {
		t.Error("nothing was taken out: the provider did not repeat anything")
	}
}

// What is left of an error of the transport.
func TestTransportErrors(t *testing.T) {
	for _, test := range []struct {
		name  string
		cause error
		want  string
	}{
		{"anything", errors.New("malformed HTTP response"), "no complete HTTP answer"},
		{"canceled", fmt.Errorf("x: %w", context.Canceled), "canceled"},
		{"deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), "timed out"},
		{"timeout", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "timed out"},
		{"refused", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, "dial tcp: connection refused"},
		{"no such host", &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "op.example.com"}}, "lookup op.example.com: no such host"},
		{"certificate", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
	} {
		err := unavailable(endpoint{name: "token"}, test.cause)
		if want := "client: token endpoint: provider unavailable: " + test.want; err.Error() != want || !errors.Is(err, test.cause) {
			t.Errorf("%s: got %v, want %s", test.name, err, want)
		}
	}
}

func TestUnusableURL(t *testing.T) {
	_, err := send(context.Background(), http.DefaultClient, endpoint{name: "token", url: "://"}, message{method: http.MethodGet})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestClean(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"plain text!", "plain text!"},
		{`a"b\c`, "a?b?c"},
		{"a\x7fb\u2028c", "a?b?c"},
		{"\xff\xfe", "??"},
		{strings.Repeat("x", 20), strings.Repeat("x", 16)},
		{"xx hush hush xx", "xx [redacted] [r"},
	} {
		if got := clean(test.in, 16, []string{"", "hush"}); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}

// Nor in the form in which they were sent.
func TestNoEncodedSecretInErrors(t *testing.T) {
	const secret = "p\u00e4$$ word/with+odd=CANARY"
	for _, auth := range []ClientAuth{SecretBasic{}, SecretPost{}} {
		p := newOP(t)
		c := p.client(func(cfg *Config) { cfg.ClientSecret, cfg.Auth = secret, auth })
		p.handle("/token", func(r *http.Request) (*http.Response, error) {
			p.mu.Lock()
			sent := p.requests[len(p.requests)-1]
			p.mu.Unlock()
			return jsonResponse(400, map[string]any{"error": "x", "error_description": sent.Header.Get("Authorization"), "error_uri": sent.Body}), nil
		})
		_, err := c.Refresh(context.Background(), &Tokens{RefreshToken: "1//CANARY+gh="})
		var e *ResponseError
		if !errors.As(err, &e) || e.URI == "" {
			t.Fatal(err)
		}
		basic := http.Header{}
		if err := (SecretBasic{}).authenticate(t.Context(), &attempt{cfg: &c.cfg, header: basic}); err != nil {
			t.Fatal(err)
		}
		_, encoded, _ := strings.Cut(basic.Get("Authorization"), " ")
		if shown := e.Description + e.URI; strings.Contains(shown, encoded) || strings.Contains(shown, "CANARY") {
			t.Errorf("%T: the error shows %s", auth, shown)
		}
	}
}

// Whoever answers in the provider's place writes the certificate.
func TestTransportErrorIsOneLine(t *testing.T) {
	bad := "x\nlevel=ERROR \x1b[2J"
	for _, cause := range []error{
		&tls.CertificateVerificationError{Err: errors.New(bad)},
		&net.DNSError{Err: bad, Name: bad},
		&net.OpError{Op: "dial", Err: errors.New(bad)},
	} {
		if text := unavailable(endpoint{name: "token"}, cause).Error(); strings.ContainsAny(text, "\n\x1b") || !strings.Contains(text, "level=ERROR") {
			t.Errorf("%T: %q", cause, text)
		}
	}
}

// Of an error that quotes, only what it quotes is foreign.
func TestScrubQuoted(t *testing.T) {
	secrets := []string{"token", `0123456789abcdef"\x`}
	for text, want := range map[string]string{
		`token invalid`:                             `token invalid`,
		`typ of a token: got "token"`:               `typ of a token: got "[redacted]"`,
		`got "a token", want "b"`:                   `got "a [redacted]", want "b"`,
		`got "0123456789ab...", token`:              `got "[redacted]...", token`,
		`got "x6789abcdef\"\\xy" token`:             `got "x[redacted]y" token`,
		`got "0123456789a", a byte less`:            `got "0123456789a", a byte less`,
		`got ["a" "0123456789abc`:                   `got ["a" "[redacted]`,
		`got "\"" token "0123456789abcdef\"\\x"`:    `got "\"" token "[redacted]"`,
		`got "0123456789abcX and 456789abcdef" end`: `got "[redacted]X and [redacted]" end`,
		`got "\`: `got "\`,
		``:       ``,
	} {
		if got := scrubQuoted(text, secrets); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
