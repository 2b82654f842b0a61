package session

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// post sends a body through the proxy; a length of -1 says nothing about it.
func (b *browser) postBody(target, text string, length int64) *http.Response {
	r := b.request("POST", target, append(fetchHeaders, withHeader...)...)
	r.Body, r.ContentLength = bodyOf(text), length
	return b.send(r)
}

// After a 401 there is one refresh, and one more try if the body can be sent again.
func TestProxyRetries(t *testing.T) {
	large := strings.Repeat("x", maxReplay+1)
	tests := map[string]struct {
		body     string
		length   int64
		always   bool // refuses every token
		status   int
		calls    int
		renewals int
	}{
		"no body":          {"", 0, false, 200, 2, 1},
		"small body":       {"text", 4, false, 200, 2, 1},
		"as large as kept": {large[1:], maxReplay, false, 200, 2, 1},
		"larger":           {large, maxReplay + 1, false, 502, 1, 0},
		"of no length":     {"text", -1, false, 502, 1, 0},
		"refused for good": {"", 0, true, 502, 2, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, u := signedIn(t, Proxy{})
			first := b.accessToken()
			u.answer = func(w http.ResponseWriter, r *http.Request) {
				if tt.always || r.Header.Get("Authorization") == "Bearer "+first {
					w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
					w.WriteHeader(http.StatusUnauthorized)
				}
			}
			resp := b.postBody("/api/x", tt.body, tt.length)
			if resp.StatusCode != tt.status || u.calls() != tt.calls || refreshes(b.app) != tt.renewals {
				t.Fatalf("%d, %d calls, %d refreshes", resp.StatusCode, u.calls(), refreshes(b.app))
			}
			for _, got := range u.bodies {
				if got != tt.body {
					t.Errorf("a body of %d bytes arrives as %d", len(tt.body), len(got))
				}
			}
			if tt.status == 502 {
				b.wantProblem(resp, 502, ReasonTokenRejected)
			}
			if tt.renewals == 1 && b.accessToken() == first {
				t.Error("the refreshed token has not arrived in the session")
			}
		})
	}
}

// A page that signs in again whenever it is told to does not do so for ever: 401 leads to a
// sign-in, and that to a 502.
func TestProxy401Loop(t *testing.T) {
	b, u := signedIn(t, Proxy{}, func(cfg *appConfig) { cfg.client.Scopes = []string{"profile"} })
	u.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	b.wantProblem(b.call("GET", "/api/x"), 502, ReasonTokenRejected)
	b.op.Advance(2 * time.Minute)
	resp := b.call("GET", "/api/x")
	var told struct{ Reason, Login string }
	if err := json.NewDecoder(resp.Body).Decode(&told); err != nil || resp.StatusCode != 401 || told.Reason != ReasonTokenRejected || told.Login != "/auth/login" {
		t.Fatalf("%d %+v %v", resp.StatusCode, told, err)
	}
	b.signInAgain(b.get(told.Login), "alice")
	b.wantProblem(b.call("GET", "/api/x"), 502, ReasonTokenRejected)
	if u.calls() != 3 {
		t.Errorf("%d calls", u.calls())
	}
}

// Where the token is not the user's, signing in changes nothing; where there was none, it does.
func TestProxy401WithoutTheUsersToken(t *testing.T) {
	for name, tt := range map[string]struct {
		token  ProxyToken
		signIn bool
		status int
		reason string
	}{
		"client":                 {ClientToken, true, 502, ReasonTokenRejected},
		"none":                   {NoToken, true, 502, ReasonTokenRejected},
		"client, for nobody":     {UserOrClientToken, false, 502, ReasonTokenRejected},
		"none, for nobody":       {UserOrNoToken, false, 401, ReasonNoSession},
		"user's, for who is not": {UserToken, false, 401, ReasonNoSession},
	} {
		t.Run(name, func(t *testing.T) {
			a, u := newUpstream(t, Proxy{Token: tt.token})
			u.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="everything"`)
				w.WriteHeader(http.StatusUnauthorized)
			}
			b := a.browser()
			if tt.signIn {
				b.mustSignIn("alice")
				b.op.Advance(2 * time.Minute)
			}
			resp := b.call("GET", "/api/x")
			if strings.Contains(resp.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("the API's challenge is passed on")
			}
			b.wantProblem(resp, tt.status, tt.reason)
		})
	}
}

// What an API demands by RFC 9470, or as a scope, becomes the address of a sign-in.
func TestProxyStepUp(t *testing.T) {
	tests := map[string]struct {
		status    int
		challenge string
		reason    string
		ask       string // a parameter of the sign-in
		want      string
	}{
		"acr":     {401, `Bearer error="insufficient_user_authentication", acr_values="gold"`, ReasonACR, "acr_values", "gold"},
		"max_age": {401, `Bearer error="insufficient_user_authentication", max_age="60"`, ReasonMaxAge, "max_age", "60"},
		"scope":   {403, `Bearer error="insufficient_scope", scope="notes:write"`, ReasonRule, "scope", "openid offline_access notes:write"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, u := signedIn(t, Proxy{}, func(c *appConfig) { c.client.Scopes = []string{"offline_access"} })
			u.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", tt.challenge)
				w.WriteHeader(tt.status)
			}
			for _, headers := range [][]string{nil, {"Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "", "Accept", "text/html"}} { // never by redirect
				resp := b.call("GET", "/api/x", headers...)
				var told struct{ Reason, Login string }
				if err := json.NewDecoder(resp.Body).Decode(&told); err != nil || resp.StatusCode != 401 || told.Reason != tt.reason {
					t.Fatalf("%d %+v %v", resp.StatusCode, told, err)
				}
				if headers != nil {
					continue
				}
				again := b.get(told.Login + "&return_to=/notes")
				if got := authRequest(t, again).Get(tt.ask); got != tt.want {
					t.Errorf("%s %q, want %q", tt.ask, got, tt.want)
				}
				b.op.Advance(time.Second)
			}
			if u.calls() != 2 || refreshes(b.app) != 0 {
				t.Errorf("%d calls, %d refreshes: a challenge is not answered by a refresh", u.calls(), refreshes(b.app))
			}
			login := b.call("GET", "/api/x")
			var told struct{ Login string }
			json.NewDecoder(login.Body).Decode(&told)
			b.wantRedirect(b.signInAgain(b.get(told.Login+"&return_to=/notes"), "alice"), "/notes")
			b.wantProblem(b.call("GET", "/api/x"), 403, tt.reason) // the API goes on asking
		})
	}
}

// A 403 without a demand is the API's own.
func TestProxyForbidden(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	u.answer = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not yours", http.StatusForbidden) }
	if resp := b.call("GET", "/api/x"); resp.StatusCode != 403 || body(resp) != "not yours\n" {
		t.Errorf("%d", resp.StatusCode)
	}
}

// What an API says in the name of the whole site stays behind.
func TestProxyAnswerHeaders(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	session := b.cookie("")
	dropped := map[string]string{
		"Set-Cookie": b.m.cookies.names[0] + "=tossed; Path=/; Secure; HttpOnly", "Clear-Site-Data": `"cookies"`,
		"Access-Control-Allow-Origin": "https://evil.example", "Access-Control-Allow-Credentials": "true",
		"Strict-Transport-Security": "max-age=0", "Alt-Svc": `h3=":443"`, "Refresh": "0;url=//evil.example", "Report-To": "{}", "NEL": "{}",
		"Service-Worker-Allowed": "/", "X-Accel-Redirect": "/secret", "X-Sendfile": "/etc/passwd", "Dpop-Nonce": "n", "Public-Key-Pins": "x",
		"Set-Cookie2": "x", "Reporting-Endpoints": "x", "Authentication-Info": "x", "X-Lighttpd-Send-File": "x", "X-Reproxy-Url": "x", "X-Accel-Expires": "1",
		"Proxy-Status": "x", "X-Sendfile2": "/etc/passwd 0-9", "X-Lighttpd-Send-Tempfile": "/x", "X-Archive-Files": "zip", "X-Litespeed-Location": "/secret", "X-Litespeed-Cache-Control": "public", "Timing-Allow-Origin": "*",
		"Accept-Ch": "Sec-CH-UA-Model", "Expect-Ct": "max-age=9", "Set-Login": "logged-out", "Sec-Session-Registration": "(ES256)",
		"Secure-Session-Registration": "(ES256)", "Use-As-Dictionary": `match="/*"`,
	}
	kept := map[string]string{
		"ETag": `"1"`, "Content-Type": "text/x-note", "X-Request-Id": "7", "Link": "</x>; rel=next", "Content-Security-Policy": "default-src *",
		"X-Accel-Buffering": "no", "Retry-After": "5",
	}
	u.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "theirs=1; Domain=example.com")
		for _, headers := range []map[string]string{dropped, kept} {
			for name, value := range headers {
				w.Header().Add(name, value)
			}
		}
		w.Header().Set("X-Content-Type-Options", "sniff")
	}
	resp := b.call("GET", "/api/x")
	for name := range dropped {
		if got := resp.Header.Get(name); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, want := range kept {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := resp.Header["Content-Security-Policy"]; len(got) != 2 || got[1] != "default-src 'none'; sandbox" || strings.Join(resp.Header["X-Content-Type-Options"], ",") != "nosniff" {
		t.Errorf("%q", resp.Header)
	}
	if b.cookie("") != session {
		t.Error("the session cookie has changed")
	}
}

// What an API sends behind its answer is no header for anybody: a handler in front that holds
// answers back would make one of it.
func TestProxyDropsTrailers(t *testing.T) {
	for name, announced := range map[string]bool{"announced": true, "not announced": false} {
		t.Run(name, func(t *testing.T) {
			b, u := signedIn(t, Proxy{})
			session := b.cookie("")
			u.answer = func(w http.ResponseWriter, _ *http.Request) {
				field := http.TrailerPrefix + "Set-Cookie"
				if announced {
					w.Header().Set("Trailer", "Set-Cookie")
					field = "Set-Cookie"
				}
				io.WriteString(w, "hello")
				w.(http.Flusher).Flush()
				w.Header().Set(field, b.m.cookies.names[0]+"=tossed; Path=/; Secure; HttpOnly")
			}
			b.handler = http.TimeoutHandler(b.handler, time.Minute, "")
			resp := b.call("GET", "/api/x")
			if text := body(resp); resp.StatusCode != 200 || text != "hello" {
				t.Fatalf("%d %q", resp.StatusCode, text)
			}
			for _, h := range []http.Header{resp.Header, resp.Trailer} {
				for field := range h {
					if strings.HasSuffix(field, "Set-Cookie") || field == "Trailer" {
						t.Errorf("%s: %q", field, h[field])
					}
				}
			}
			if b.cookie("") != session {
				t.Error("the session cookie has changed")
			}
		})
	}
}

// The cookie of a refresh goes out with an answer that had cookies of its own.
func TestProxySavesTheRefresh(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	u.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", b.m.cookies.names[0]+"=tossed")
	}
	before := b.cookie("")
	b.expireToken()
	resp := b.call("GET", "/api/x")
	if resp.StatusCode != 200 || refreshes(b.app) != 1 || b.cookie("") == before {
		t.Errorf("%d, %d refreshes", resp.StatusCode, refreshes(b.app))
	}
	b.wantUser(b, "alice")
}

func TestProxyCaches(t *testing.T) {
	for given, want := range map[string]string{
		"": "no-store", "public, max-age=60": "no-store", "max-age=60": "no-store", "private, max-age=60": "private, max-age=60", "no-store": "no-store",
	} {
		for _, token := range []ProxyToken{UserToken, ClientToken, UserOrNoToken} {
			b, u := signedIn(t, Proxy{Token: token})
			u.answer = func(w http.ResponseWriter, _ *http.Request) {
				if given != "" {
					w.Header().Set("Cache-Control", given)
				}
			}
			if resp := b.call("GET", "/api/x"); resp.Header.Get("Cache-Control") != want || resp.Header.Get("Vary") != "Cookie" {
				t.Errorf("%q: %v", given, resp.Header)
			}
		}
	}
}

// What tells a CDN to store an answer would win there over a Cache-Control for the browser.
func TestProxyCachesAtCDNs(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	u.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=60")
		for _, name := range []string{"CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Netlify-CDN-Cache-Control", "Surrogate-Control", "Edge-Control"} {
			w.Header().Set(name, "public, max-age=600")
		}
	}
	resp := b.call("GET", "/api/x")
	if got := resp.Header.Get("Cache-Control"); resp.StatusCode != 200 || got != "private, max-age=60" {
		t.Fatalf("%d %q", resp.StatusCode, got)
	}
	for name, values := range resp.Header {
		if name != "Cache-Control" && strings.Contains(strings.Join(values, " "), "max-age=600") {
			t.Errorf("%s: %q", name, values)
		}
	}
}

// A redirect goes to the browser, and the token nowhere.
func TestProxyRedirect(t *testing.T) {
	elsewhere := newAPI(t)
	for _, status := range []int{301, 302, 307, 308} {
		b, u := signedIn(t, Proxy{})
		u.answer = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL+"/take", status) }
		resp := b.call("GET", "/api/x")
		if resp.StatusCode != status || resp.Header.Get("Location") != elsewhere.URL+"/take" || len(elsewhere.seen) != 0 {
			t.Errorf("%d to %q, %q", resp.StatusCode, resp.Header.Get("Location"), elsewhere.seen)
		}
		if strings.Contains(fmt.Sprint(resp.Header)+body(resp), b.accessToken()) {
			t.Error("the token is in the answer")
		}
	}
}

// raw is an API that answers with these bytes, to whatever it is sent.
func raw(t *testing.T, answer func(request string) string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			request := ""
			for lines := bufio.NewReader(conn); !strings.HasSuffix(request, "\r\n\r\n"); {
				line, err := lines.ReadString('\n')
				if err != nil {
					break
				}
				request += line
			}
			io.WriteString(conn, answer(request))
			conn.Close()
		}
	}()
	return "http://" + ln.Addr().String()
}

// What is not an answer becomes one of ours, and what the API repeats of the token is neither
// in that nor in the log.
func TestProxyBadAnswers(t *testing.T) {
	tests := map[string]func(authorization string) string{
		"not HTTP":      func(s string) string { return s + "\r\n" },
		"broken header": func(s string) string { return "HTTP/1.1 200 OK\r\n" + s + " \x00: x\r\n\r\n" },
		"broken status": func(s string) string { return "HTTP/1.1 " + s + "\r\n\r\n" },
		"status 000":    func(string) string { return "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n" },
		"status 700":    func(string) string { return "HTTP/1.1 700 Much\r\nContent-Length: 0\r\n\r\n" },
		"switch protocols": func(string) string {
			return "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
		},
		"broken length": func(s string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + s + "\r\n\r\n" },
		"huge header": func(string) string {
			return "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxAnswerHeader) + "\r\nContent-Length: 0\r\n\r\n"
		},
		"many headers": func(string) string {
			return "HTTP/1.1 200 OK\r\n" + strings.Repeat("Y: z\r\n", 20_000) + "Content-Length: 0\r\n\r\n"
		},
		"nothing": func(string) string { return "" },
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.mustSignIn("alice")
			h, err := a.m.Proxy(Proxy{Target: raw(t, func(request string) string {
				_, after, _ := strings.Cut(request, "Authorization: ")
				authorization, _, _ := strings.Cut(after, "\r\n")
				if authorization == "" {
					t.Error("the API got no token")
				}
				return answer(authorization)
			})})
			if err != nil {
				t.Fatal(err)
			}
			token := b.accessToken()
			a.handler = h
			resp := b.call("GET", "/x")
			text := body(resp)
			if resp.StatusCode != http.StatusBadGateway || !strings.Contains(text, ReasonAPIUnavailable) {
				t.Errorf("%d %s", resp.StatusCode, text)
			}
			want := errAPIFailed
			switch name {
			case "status 000", "status 700", "switch protocols", "huge header", "many headers":
				want = errAPIAnswer
			}
			if !strings.Contains(a.logs.String(), want.Error()) {
				t.Errorf("want %q in the log: %s", want, a.logs)
			}
			if strings.Contains(text+fmt.Sprint(resp.Header)+a.logs.String(), token) {
				t.Error("the token is in the answer or in the log")
			}
		})
	}
}

// 1xx answers have headers that nobody has looked at.
func TestProxyDropsEarlyHints(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	u.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "early=1")
		w.Header().Set("Link", "</x>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		w.WriteHeader(http.StatusOK)
	}
	var written []int
	inner := b.handler
	b.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(&statusRecorder{w, &written}, r)
	})
	if resp := b.call("GET", "/api/x"); resp.StatusCode != 200 || len(written) != 1 || written[0] != 200 || resp.Header["Set-Cookie"] != nil {
		t.Errorf("%d, statuses %v, %v", resp.StatusCode, written, resp.Header)
	}
}

type statusRecorder struct {
	http.ResponseWriter
	written *[]int
}

func (w *statusRecorder) WriteHeader(status int) {
	*w.written = append(*w.written, status)
	w.ResponseWriter.WriteHeader(status)
}

func TestProxySlowAPI(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	h, err := a.m.Proxy(Proxy{Target: "https://api.example.com", Timeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	a.m.cfg.Transport = roundTripFunc(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	a.handler = h
	b.wantProblem(b.call("GET", "/x"), http.StatusGatewayTimeout, ReasonAPIUnavailable)
}

// serve is the app on a socket, and a client with the cookies of b.
func (b *browser) serve() (call func(ctx context.Context, path string) *http.Response) {
	server := httptest.NewServer(b.handler)
	b.t.Cleanup(server.Close)
	return func(ctx context.Context, path string) *http.Response {
		r := b.request("GET", path, append(fetchHeaders, withHeader...)...)
		out, err := http.NewRequestWithContext(ctx, "GET", server.URL+path, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		out.Header = r.Header
		resp, err := server.Client().Do(out)
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
}

// Events arrive one by one, and an endless answer ends when the browser leaves.
func TestProxyStreams(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	next, gone := make(chan struct{}), make(chan struct{})
	u.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; ; i++ {
			fmt.Fprintf(w, "data: %d\n", i)
			if http.NewResponseController(w).Flush() != nil {
				break
			}
			select {
			case <-next:
			case <-r.Context().Done():
				close(gone)
				return
			}
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	resp := b.serve()(ctx, "/api/events")
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
		next <- struct{}{} // the API waits for the browser to have read it
	}
	leave()
	<-gone
}

// A stream lasts as long as the session, and no longer: its timeout is for the beginning.
func TestProxyStreamEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lifetime = 2 * DefaultProxyTimeout
		a := newApp(t, func(cfg *appConfig) {
			cfg.session.Lifetime = lifetime
			cfg.session.Transport = roundTripFunc(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: endless{r.Context()}}, nil
			})
		})
		b := a.browser()
		b.mustSignIn("alice")
		h, err := a.m.Proxy(Proxy{Target: "https://api.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		a.handler = h
		start := time.Now()
		resp := b.call("GET", "/events")
		if lasted := time.Since(start); lasted != lifetime || resp.StatusCode != http.StatusOK {
			t.Errorf("%d, and it lasted %v, of %v", resp.StatusCode, lasted, lifetime)
		}
		a.op.Close()
	})
}

// An endless body has nothing to say until its request is over.
type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

func (endless) Close() error { return nil }

// A body that is larger than a handler in front allows is the browser's fault, not the API's.
func TestProxyBodyTooLarge(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	b.handler = http.MaxBytesHandler(b.handler, 10)
	for name, length := range map[string]int64{"read before": 11, "streamed": -1} {
		resp := b.postBody("/api/x", "eleven byte", length)
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		b.wantProblem(resp, http.StatusRequestEntityTooLarge, ReasonBody)
	}
	if got := u.calls(); got > 1 { // the streamed one may begin to arrive
		t.Errorf("%d calls", got)
	}
}

// A body that ends before its length is not an API's fault either.
func TestProxyBodyCut(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	r := b.request("POST", "/api/x", append(fetchHeaders, withHeader...)...)
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("cut"), brokenReader{})), 10
	b.wantProblem(b.send(r), http.StatusBadRequest, ReasonBody)
	if u.calls() != 0 {
		t.Error("the API was called")
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A browser that has left is told nothing, and nobody hears of it in the log.
func TestProxyBrowserLeaves(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	ctx, leave := context.WithCancel(t.Context())
	a.m.cfg.Transport = roundTripFunc(func(r *http.Request) (*http.Response, error) {
		leave()
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	h, err := a.m.Proxy(Proxy{Target: "https://api.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, b.request("GET", "/x", append(fetchHeaders, withHeader...)...).WithContext(ctx))
	if w.Code != http.StatusBadGateway || w.Body.Len() != 0 || a.logs.has(ReasonAPIUnavailable) {
		t.Errorf("%d %s %s", w.Code, w.Body, a.logs)
	}
}

// The connection to an API fails: the log says why, for that is no part of an answer.
func TestProxyNoConnection(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	h, err := a.m.Proxy(Proxy{Target: "http://" + ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	a.handler = h
	b.wantProblem(b.call("GET", "/x"), http.StatusBadGateway, ReasonAPIUnavailable)
	if !strings.Contains(a.logs.String(), "connection refused") {
		t.Error(a.logs)
	}
}

// A signed-in request that a Guard in front has let through is the same session.
func TestProxyWithinGuard(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	h, err := b.m.Proxy(Proxy{Target: u.URL})
	if err != nil {
		t.Fatal(err)
	}
	b.mux.Handle("/guarded/", b.m.Guard(HasScope("openid"))(h))
	b.mux.Handle("/closed/", b.m.Guard(HasClaim([]string{"groups"}, "admin"))(h))
	if resp := b.call("GET", "/guarded/x"); resp.StatusCode != http.StatusOK {
		t.Errorf("%d", resp.StatusCode)
	}
	b.wantProblem(b.call("GET", "/closed/x"), http.StatusForbidden, ReasonRule)
	if u.calls() != 1 {
		t.Errorf("%d calls", u.calls())
	}
}

// An id_token sign-in has no access token to send.
func TestProxyWithoutAccessToken(t *testing.T) {
	a, u := newUpstream(t, Proxy{}, func(cfg *appConfig) {
		cfg.op.Clients = []clienttest.Client{{ID: "web"}}
		cfg.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) {
			return &client.AuthorizeOptions{ResponseType: "id_token"}, nil
		}
	})
	b := a.browser()
	answer := b.answerTo(b.begin("/page"), "alice").Query()
	b.jar.as(jarContext{crossSite: true, unsafe: true})
	a.wantRedirect(b.postForm(answer, "Sec-Fetch-Site", "cross-site"), "/page")
	b.jar.as(jarContext{})
	b.wantProblem(b.call("GET", "/api/x"), http.StatusInternalServerError, ReasonInternal)
	if u.calls() != 0 {
		t.Error("the API was called")
	}
}

// A certificate that nobody knows: the operator should read why.
func TestProxyCertificate(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	b.m.cfg.Transport = http.DefaultTransport
	b.wantProblem(b.call("GET", "/api/x"), http.StatusBadGateway, ReasonAPIUnavailable)
	if !strings.Contains(b.logs.String(), "x509") || u.calls() != 0 {
		t.Error(b.logs)
	}
}

// Somebody who is not signed in has no session that a stream could outlast.
func TestProxyStreamsToAnybody(t *testing.T) {
	a, u := newUpstream(t, Proxy{Token: UserOrNoToken, Timeout: 5 * time.Second})
	begun := make(chan struct{})
	u.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		http.NewResponseController(w).Flush()
		<-begun
		io.WriteString(w, "all of it")
	}
	resp := a.browser().serve()(t.Context(), "/api/x")
	close(begun)
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "all of it" {
		t.Errorf("%q, %v", text, err)
	}
}

// An API that wants a nonce in the proof gets the body a second time, whosever token it is.
func TestProxyDPoPNonce(t *testing.T) {
	for name, token := range map[string]ProxyToken{"user": UserToken, "client": ClientToken} {
		t.Run(name, func(t *testing.T) {
			b, u := signedIn(t, Proxy{Token: token}, func(cfg *appConfig) { cfg.client.DPoP = client.GenerateDPoPKey() })
			if token == ClientToken {
				b.op.SetFaults(clienttest.WrongTokenType) // it says DPoP
			}
			u.answer = func(w http.ResponseWriter, r *http.Request) {
				proof, _ := base64.RawURLEncoding.DecodeString(strings.Split(r.Header.Get("DPoP")+"..", ".")[1])
				if !strings.Contains(string(proof), `"nonce":"n1"`) {
					w.Header().Set("DPoP-Nonce", "n1")
					w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
					w.WriteHeader(http.StatusUnauthorized)
				}
			}
			resp := b.postBody("/api/x", "text", 4)
			if resp.StatusCode != http.StatusOK || strings.Join(u.bodies, " ") != "text text" || resp.Header.Get("DPoP-Nonce") != "" {
				t.Errorf("%d, bodies %q, %v; %s", resp.StatusCode, u.bodies, resp.Header, b.logs)
			}
		})
	}
}
