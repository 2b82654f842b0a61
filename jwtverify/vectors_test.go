package jwtverify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// vectorDir holds test vectors that any implementation can run; README.md beside
// them describes their form.
const vectorDir = "testdata/vectors"

var update = flag.Bool("update", false, "write the vector files anew")

type vectorFile struct {
	kind    string          // the directory: of which kind of token
	About   string          `json:"about"`
	JWKS    json.RawMessage `json:"jwks"`
	Vectors []vector        `json:"vectors"`
}

type vector struct {
	Name        string `json:"name"`
	Rule        string `json:"rule"`
	Expect      string `json:"expect"`                 // accept, invalid, expired or keys
	Claim       string `json:"claim,omitempty"`        // the claim or header parameter refused
	Reason      string `json:"reason,omitempty"`       // what our error says of it
	DiffersFrom string `json:"differs_from,omitempty"` // an accepted vector, by one thing

	Now      int64           `json:"now"`
	Verifier verifierConfig  `json:"verifier"`
	Want     wantConfig      `json:"want"`
	JWKS     json.RawMessage `json:"jwks,omitempty"`      // instead of the file's
	JWKSDown bool            `json:"jwks_down,omitempty"` // jwks_uri answers 500
	Header   string          `json:"header,omitempty"`    // as text, for the reader
	Payload  string          `json:"payload,omitempty"`
	Token    string          `json:"token"`
}

type verifierConfig struct {
	Issuer           string   `json:"issuer"`
	Audience         string   `json:"audience"`
	Algorithms       []string `json:"algorithms,omitzero"`
	TrustedAudiences []string `json:"trusted_audiences,omitempty"`
	AccessTokenTypes []string `json:"access_token_types,omitzero"`
	AudienceClaim    string   `json:"audience_claim,omitempty"`
	SharedSecret     string   `json:"shared_secret,omitempty"` // instead of the JWK set
	Tenants          []string `json:"tenants,omitzero"`
	LeewaySeconds    float64  `json:"leeway_seconds,omitempty"`

	Decrypt []decryptConfig `json:"decrypt,omitzero"`
}

type wantConfig struct {
	Nonce         string          `json:"nonce,omitempty"`
	AccessToken   string          `json:"access_token,omitempty"`
	Code          string          `json:"code,omitempty"`
	State         string          `json:"state,omitempty"`
	FrontChannel  bool            `json:"front_channel,omitempty"`
	Since         int64           `json:"since,omitempty"`
	MaxAgeSeconds *int64          `json:"max_age_seconds,omitempty"`
	ACR           []string        `json:"acr,omitempty"`
	Previous      *previousConfig `json:"previous,omitempty"`
	Subject       string          `json:"sub,omitempty"`        // of userinfo: that of the ID token
	Seen          bool            `json:"seen,omitempty"`       // of logout tokens: its jti was here before
	GuardDown     bool            `json:"guard_down,omitempty"` // of logout tokens: nobody knows whether it was
}

// previousConfig is the ID token that was there before a refresh.
type previousConfig struct {
	Issuer          string   `json:"iss"`
	Subject         string   `json:"sub"`
	Audience        []string `json:"aud"`
	AuthorizedParty string   `json:"azp,omitempty"`
	Nonce           string   `json:"nonce,omitempty"`
	AuthTime        int64    `json:"auth_time,omitempty"`
}

func (w wantConfig) expect() jwtverify.Expect {
	want := jwtverify.Expect{
		Nonce: w.Nonce, AccessToken: w.AccessToken, Code: w.Code, State: w.State,
		FrontChannel: w.FrontChannel, ACR: w.ACR,
	}
	if w.Since != 0 {
		want.Since = time.Unix(w.Since, 0)
	}
	if w.MaxAgeSeconds != nil {
		age := time.Duration(*w.MaxAgeSeconds) * time.Second
		want.MaxAge = &age
	}
	if p := w.Previous; p != nil {
		want.Previous = &jwtverify.IDToken{
			Issuer: p.Issuer, Subject: p.Subject, Audience: p.Audience,
			AuthorizedParty: p.AuthorizedParty, Nonce: p.Nonce,
		}
		if p.AuthTime != 0 {
			want.Previous.AuthTime = time.Unix(p.AuthTime, 0)
		}
	}
	return want
}

func (v vector) verifier(set json.RawMessage) *jwtverify.Verifier {
	now := func() time.Time { return time.Unix(v.Now, 0) }
	if v.JWKS != nil {
		set = v.JWKS
	}
	status := http.StatusOK
	if v.JWKSDown {
		status = http.StatusInternalServerError
	}
	verifier := &jwtverify.Verifier{
		Issuer:           v.Verifier.Issuer,
		Audience:         v.Verifier.Audience,
		Algorithms:       v.Verifier.Algorithms,
		TrustedAudiences: v.Verifier.TrustedAudiences,
		AccessTokenTypes: v.Verifier.AccessTokenTypes,
		AudienceClaim:    v.Verifier.AudienceClaim,
		Decrypt:          decryptionKeys(v.Verifier.Decrypt),
		Tenants:          v.Verifier.Tenants,
		Leeway:           time.Duration(v.Verifier.LeewaySeconds * float64(time.Second)),
		Now:              now,
		Keys: &jwtverify.RemoteKeys{
			URL:        "https://op.example.com/jwks",
			HTTPClient: &http.Client{Transport: canned{status, string(set)}},
			Now:        now,
		},
	}
	if v.Verifier.SharedSecret != "" {
		verifier.Keys = jwtverify.SharedSecret(v.Verifier.SharedSecret)
	}
	return verifier
}

// canned answers every request alike, without a network.
type canned struct {
	status int
	body   string
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: c.status, Request: req, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(c.body)),
	}, nil
}

// loadVectors reads all vector files of a kind, and fails where there are none.
func loadVectors(tb testing.TB, kind string) []vectorFile {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(vectorDir, kind, "*.json"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no vector files for %s: %v", kind, err)
	}
	var files []vectorFile
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		file := vectorFile{kind: kind}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&file); err != nil {
			tb.Fatalf("%s: %v", path, err)
		}
		if len(file.Vectors) == 0 {
			tb.Fatalf("%s: no vectors", path)
		}
		files = append(files, file)
	}
	return files
}

func TestVectors(t *testing.T) {
	total := 0
	for kind := range verdicts {
		t.Run(kind, func(t *testing.T) { total += checkVectors(t, loadVectors(t, kind)) })
	}
	if total < 300 {
		t.Errorf("only %d vectors", total)
	}
	dirs, err := os.ReadDir(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if dir.IsDir() && verdicts[dir.Name()] == nil && dir.Name() != "dpop" { // TestProofVectors runs those
			t.Errorf("nothing runs the vectors of %s", dir.Name())
		}
	}
}

func checkVectors(t *testing.T, files []vectorFile) (total int) {
	accepted := map[string]bool{}
	for _, file := range files {
		for _, v := range file.Vectors {
			total++
			if _, twice := accepted[v.Name]; twice {
				t.Errorf("two vectors are called %s", v.Name)
			}
			accepted[v.Name] = v.Expect == "accept"
			t.Run(v.Name, func(t *testing.T) { checkVector(t, file, v) })
		}
	}
	for _, file := range files {
		for _, v := range file.Vectors {
			if v.Expect != "accept" && !accepted[v.DiffersFrom] {
				t.Errorf("%s differs from %q, which is no accepted vector", v.Name, v.DiffersFrom)
			}
		}
	}
	return total
}

func checkVector(t *testing.T, file vectorFile, v vector) {
	if v.Rule == "" {
		t.Error("states no rule")
	}
	got, err := verdicts[file.kind](t, v.verifier(file.JWKS), v)
	if v.Expect != "accept" {
		if got != nil {
			t.Errorf("%v beside the error", got)
		}
		checkRefusal(t, err, v.Expect, v.Claim, v.Reason)
		return
	}
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	payload := v.Token
	if file.kind != "introspection" {
		payload = payloadOf(signedToken(t, v))
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(payload), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims %v, want %v", got, want)
	}
}

// checkRefusal asserts the reason of an error: of which kind it is and of no other,
// the claim it names, and its words.
func checkRefusal(t *testing.T, err error, expect, claim, reason string) {
	t.Helper()
	kinds := map[string]error{"invalid": jwtverify.ErrInvalid, "expired": jwtverify.ErrExpired, "keys": jwtverify.ErrKeys}
	if kinds[expect] == nil {
		t.Fatalf("unknown expectation %q", expect)
	}
	for name, kind := range kinds {
		if name == expect && err != nil && strings.Count(err.Error(), kind.Error()) != 1 {
			t.Errorf("want %q once in: %v", kind, err)
		}
		if errors.Is(err, kind) != (name == expect) {
			t.Errorf("want %s and nothing else, got: %v", expect, err)
		}
	}
	var refused *jwtverify.ClaimError
	switch named := errors.As(err, &refused); {
	case claim != "" && !named:
		t.Errorf("want an error that names %q, got: %v", claim, err)
	case named && refused.Claim != claim:
		t.Errorf("want %q refused, got %q: %v", claim, refused.Claim, err)
	}
	if reason == "" || err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("want the reason %q, got: %v", reason, err)
	}
	if err != nil && !strings.HasPrefix(err.Error(), "jwtverify: ") {
		t.Errorf("want the name of the package in front: %v", err)
	}
}

// accepted is one accepted token of the vectors, with all that accepts it.
func accepted(tb testing.TB, name string) (v *jwtverify.Verifier, raw string, want jwtverify.Expect) {
	tb.Helper()
	for _, file := range loadVectors(tb, "idtoken") {
		for _, vec := range file.Vectors {
			if vec.Name == name && vec.Expect == "accept" {
				return vec.verifier(file.JWKS), vec.Token, vec.Want.expect()
			}
		}
	}
	tb.Fatalf("no accepted vector %q", name)
	return nil, "", jwtverify.Expect{}
}
