package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A callbackVector is one file of testdata/vectors/callback. Its query is what the
// browser brought, in which {state} and {iss} stand for the right ones; all vectors
// of one group differ from its accepted one by one thing.
type callbackVector struct {
	Rule    string `json:"rule"`    // the words of the error: parameter and reason
	Expect  string `json:"expect"`  // accept, reject, refused-by-provider, or reject-token, where the rule is in the error
	Query   string `json:"query"`   // of the callback
	Promise bool   `json:"promise"` // the metadata promises iss

	// The claims of {id_token} and {response} that are other than right; null: absent.
	// alg and kid are those of the header.
	IDToken  map[string]any `json:"id_token"`
	Response map[string]any `json:"response"`

	Login struct {
		ResponseType string `json:"response_type"`
		ResponseMode string `json:"response_mode"`

		Empty    bool   `json:"empty"`
		Issuer   string `json:"issuer"`    // instead of the client's
		ClientID string `json:"client_id"` // instead of the client's
		Age      string `json:"age"`       // instead of one minute
		Used     bool   `json:"used"`      // its code has been sent before
	} `json:"login"`
}

const (
	vectorCode  = "c0de"
	vectorToken = "t0ken"
)

const vectorState = "c3RhdGUgb2YgdGhlIGNhbGxiYWNrIHZlY3RvcnMuLi4"

func (v *callbackVector) login(now time.Time) *Login {
	if v.Login.Empty {
		return &Login{}
	}
	age := time.Minute
	if v.Login.Age != "" {
		age, _ = time.ParseDuration(v.Login.Age)
	}
	s := LoginSecrets{
		Issuer: testIssuer, ClientID: testClientID, RedirectURL: testRedirect,
		State: vectorState, Nonce: "bm9uY2Ugb2YgdGhlIGNhbGxiYWNrIHZlY3RvcnMuLi4",
		Verifier: "dmVyaWZpZXIgb2YgdGhlIGNhbGxiYWNrIHZlY3RvcnM", Created: now.Add(-age),
		ResponseType: v.Login.ResponseType, ResponseMode: v.Login.ResponseMode,
	}
	if kind, _ := parseResponseType(s.ResponseType); !kind.has(asksCode) {
		s.Verifier = ""
	}
	l, err := NewLogin(s)
	if err != nil {
		panic(err)
	}
	if v.Login.Issuer != "" {
		l.issuer = v.Login.Issuer
	}
	if v.Login.ClientID != "" {
		l.clientID = v.Login.ClientID
	}
	if v.Login.Used {
		l.sent.raise()
	}
	return l
}

func TestCallbackVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/callback/*.json")
	if err != nil || len(files) < 140 {
		t.Fatalf("found %d vectors, want at least 140 (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v callbackVector
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatal(err)
			}
			v.run(t)
		})
	}
}

// A callback that is accepted has one right state, one of everything that was asked for,
// and nothing that says otherwise.
func FuzzCallback(f *testing.F) {
	kinds := []string{"code", "id_token", "code id_token", "code token", "code id_token token", "id_token token"}
	f.Add(byte(0), "code=c0de&state="+vectorState)
	f.Add(byte(0), "code=c0de&iss=https%3A%2F%2Fop.example.com&state="+vectorState)
	f.Add(byte(0), "error=access_denied&state="+vectorState)
	f.Add(byte(4), "code=c0de&id_token=a.b.c&access_token=t&token_type=bearer&state="+vectorState)
	c, err := New(handConfig())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind byte, query string) {
		params, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		var v callbackVector
		v.Login.ResponseType = kinds[int(kind)%len(kinds)]
		got, err := c.checkCallback(context.Background(), v.login(time.Now()), params)
		if err != nil {
			if got != nil {
				t.Error("a rejected callback has an arrival")
			}
			return
		}
		words := strings.Fields(v.Login.ResponseType)
		for _, w := range responseWords {
			asked := slices.Contains(words, w.name)
			if asked && (len(params[w.param]) != 1 || params.Get(w.param) == "") || !asked && params.Has(w.param) {
				t.Errorf("%s: accepted %s %q", v.Login.ResponseType, w.param, params[w.param])
			}
		}
		if got.code != params.Get("code") || got.idToken != params.Get("id_token") || got.accessToken != params.Get("access_token") {
			t.Error("accepted something else than what came")
		}
		if len(params["state"]) != 1 || params["state"][0] != vectorState {
			t.Errorf("accepted the state %q", params["state"])
		}
		if iss := params["iss"]; len(iss) > 1 || len(iss) == 1 && iss[0] != testIssuer {
			t.Errorf("accepted the issuer %q", iss)
		}
		for _, name := range []string{"error", "response"} {
			if params.Has(name) {
				t.Errorf("accepted %s", name)
			}
		}
	})
}

func (v *callbackVector) run(t *testing.T) {
	p := newOP(t)
	p.metadata["authorization_response_iss_parameter_supported"] = v.Promise
	c := p.client(nil)
	login := v.login(p.clock())
	p.claims["nonce"] = login.nonce
	query := strings.NewReplacer("{state}", vectorState, "{iss}", url.QueryEscape(testIssuer),
		"{id_token}", v.frontIDToken(p, login), "{response}", v.response(p, login)).Replace(v.Query)
	params, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	want := 1
	if !login.want.has(asksCode) {
		want = 0
	}
	tokens, err := c.Exchange(context.Background(), login, params)
	sent := len(p.seen("/token"))
	switch v.Expect {
	case "accept":
		if err != nil || tokens == nil || tokens.IDToken == nil || sent != want {
			t.Fatalf("got %v after %d token requests, want tokens", err, sent)
		}
		return
	case "reject-token":
		if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), v.Rule) {
			t.Errorf("got %v, want the rule %q", err, v.Rule)
		}
	case "reject":
		var e *CallbackError
		if !errors.As(err, &e) || !errors.Is(err, ErrRejected) || e.Param+" "+e.Reason != v.Rule {
			t.Errorf("got %v, want the rule %q", err, v.Rule)
		}
	case "refused-by-provider":
		var e *AuthError
		if !errors.As(err, &e) || e.Error() != "client: the provider refused: "+v.Rule {
			t.Errorf("got %v, want an AuthError with %s", err, v.Rule)
		}
	default:
		t.Fatalf("unknown expectation %q", v.Expect)
	}
	if tokens != nil || sent != 0 {
		t.Errorf("got tokens %v and %d token requests, want none", tokens != nil, sent)
	}
}

// frontIDToken is the ID token of the callback: right, but for what the vector changes.
func (v *callbackVector) frontIDToken(p *op, login *Login) string {
	now := p.clock()
	claims := map[string]any{
		"iss": testIssuer, "aud": testClientID, "sub": "alice", "nonce": login.nonce,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	if login.want.has(asksCode) {
		claims["c_hash"] = halfHash(vectorCode)
	}
	if login.want.has(asksToken) {
		claims["at_hash"] = halfHash(vectorToken)
	}
	return p.signChanged(claims, v.IDToken)
}

// response is the signed answer, with everything that the login asks for.
func (v *callbackVector) response(p *op, login *Login) string {
	now := p.clock()
	claims := map[string]any{
		"iss": testIssuer, "aud": testClientID, "exp": now.Add(5 * time.Minute).Unix(), "state": login.state,
	}
	if login.want.has(asksCode) {
		claims["code"] = vectorCode
	}
	if login.want.has(asksIDToken) {
		claims["id_token"] = v.frontIDToken(p, login)
	}
	return p.signChanged(claims, v.Response)
}

// signChanged signs claims with changes; a change to null takes a claim out.
func (p *op) signChanged(claims, changes map[string]any) string {
	header := map[string]any{"alg": "ES256", "kid": "k1"}
	for name, value := range changes {
		in := claims
		if name == "alg" || name == "kid" || name == "typ" {
			in = header
		}
		in[name] = value
		if value == nil {
			delete(in, name)
		}
	}
	return sign(p.key, header, claims)
}

// halfHash is that of at_hash, c_hash and s_hash for ES256.
func halfHash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
