package jwtverify_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
)

const (
	testNow    = 1767225600 // 2026-01-01T00:00:00Z
	testIssuer = "https://op.example.com"
	testClient = "client-1"
)

// TestWriteVectors makes the vector files from the tables in this package and the
// keys of testdata/keys.json, and fails where those on disk are others. With
// -update it writes them.
func TestWriteVectors(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1) // PSS and ECDSA signatures then repeat
	for _, k := range []struct {
		kind   string
		tables []func(*vectorWriter)
	}{
		{"idtoken", []func(*vectorWriter){
			algorithmVectors, formVectors, headerVectors, keyVectors, jsonVectors,
			issuerVectors, audienceVectors, subjectVectors, kindVectors, timeVectors, requestVectors,
			hashVectors, refreshVectors, sourceVectors, configVectors, secretVectors, providerVectors, keySetVectors, tenantVectors,
			encryptionVectors,
		}},
		{"accesstoken", []func(*vectorWriter){
			accessTypeVectors, accessIdentityVectors, accessGrantVectors, accessTimeVectors,
			accessConfirmationVectors, accessProviderVectors, accessConfigVectors,
		}},
		{"introspection", []func(*vectorWriter){introspectionVectors}},
		{"logouttoken", []func(*vectorWriter){logoutVectors}},
		{"introspectionjwt", []func(*vectorWriter){introspectionJWTVectors}},
		{"response", []func(*vectorWriter){responseVectors}},
		{"userinfo", []func(*vectorWriter){userInfoVectors}},
	} {
		w := &vectorWriter{t: t, kind: k.kind}
		for _, table := range k.tables {
			table(w)
		}
		w.write()
	}
}

// write writes the files of a kind, or compares them with those on disk.
func (w *vectorWriter) write() {
	t, dir := w.t, filepath.Join(vectorDir, w.kind)
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range w.files {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, w.names[i]+".json")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, b.Bytes()) {
			t.Errorf("%s is not what the tables make (go test ./jwtverify -run TestWriteVectors -update): %v", path, err)
		}
	}
	onDisk, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(onDisk) != len(w.files) {
		t.Errorf("%s: %d vector files, and the tables make %d: %v", w.kind, len(onDisk), len(w.files), err)
	}
}

// A draft is a vector before its token is signed.
type draft struct {
	vector
	key, alg        string // what signs; the header's alg is a member of its own
	secret          []byte // signs instead of key
	header, payload []member
	edit            []func(*draft) // after all other changes: text of header and payload
	body            string         // the payload segment, where it is not the encoded payload
	finish          func(token string) string
}

// A change makes another draft of a draft: the one thing by which a refused vector
// differs from an accepted one.
type change func(*draft)

type vectorWriter struct {
	t     *testing.T
	kind  string
	names []string
	files []*vectorFile
	base  draft
}

// file begins a vector file.
func (w *vectorWriter) file(name, about string) {
	w.names = append(w.names, name)
	set := jwks(jwk(w.t, "rsa"), jwk(w.t, "p256"), jwk(w.t, "p384"), jwk(w.t, "p521"), jwk(w.t, "ed25519"))
	w.files = append(w.files, &vectorFile{About: about, JWKS: json.RawMessage(set)})
}

// bases are the tokens that the vectors of a kind differ from.
var bases = map[string]struct{ header, payload []member }{
	"idtoken": {
		[]member{{"alg", `"RS256"`}, {"kid", `"rsa"`}},
		[]member{
			{"iss", `"https://op.example.com"`}, {"sub", `"user-1"`}, {"aud", `"client-1"`},
			{"exp", "1767225900"}, {"iat", "1767225595"}, {"name", `"Ada Lovelace"`},
		},
	},
	"accesstoken": {
		[]member{{"alg", `"RS256"`}, {"kid", `"rsa"`}, {"typ", `"at+jwt"`}},
		[]member{
			{"iss", `"https://op.example.com"`}, {"sub", `"user-1"`}, {"aud", `"client-1"`},
			{"client_id", `"app-1"`}, {"scope", `"read write"`}, {"jti", `"token-1"`},
			{"exp", "1767225900"}, {"iat", "1767225595"},
		},
	},
	"introspection": {
		nil,
		[]member{
			{"active", "true"}, {"sub", `"user-1"`}, {"aud", `"client-1"`}, {"client_id", `"app-1"`},
			{"scope", `"read write"`}, {"token_type", `"Bearer"`}, {"exp", "1767225900"},
		},
	},
	"logouttoken": {
		[]member{{"alg", `"RS256"`}, {"kid", `"rsa"`}, {"typ", `"logout+jwt"`}},
		[]member{
			{"iss", `"https://op.example.com"`}, {"sub", `"user-1"`}, {"aud", `"client-1"`}, {"sid", `"session-1"`},
			{"exp", "1767225720"}, {"iat", "1767225600"}, {"jti", `"logout-1"`},
			{"events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`},
		},
	},
	"introspectionjwt": {
		[]member{{"alg", `"RS256"`}, {"kid", `"rsa"`}, {"typ", `"token-introspection+jwt"`}},
		[]member{
			{"iss", `"https://op.example.com"`}, {"aud", `"client-1"`}, {"iat", "1767225595"},
			{"token_introspection", `{"active":true,"sub":"user-1","aud":"https://api.example.com"}`},
		},
	},
	"response": {
		[]member{{"alg", `"RS256"`}, {"kid", `"rsa"`}},
		[]member{
			{"iss", `"https://op.example.com"`}, {"aud", `"client-1"`}, {"exp", "1767226200"},
			{"code", `"code-1"`}, {"state", `"state-1"`},
		},
	},
	"userinfo": {
		[]member{{"alg", `"RS256"`}, {"kid", `"rsa"`}},
		[]member{
			{"iss", `"https://op.example.com"`}, {"aud", `"client-1"`}, {"sub", `"user-1"`}, {"name", `"Ada Lovelace"`},
		},
	},
}

// accept adds an accepted vector, which the refused ones after it differ from.
func (w *vectorWriter) accept(name, rule string, changes ...change) {
	base := bases[w.kind]
	d := draft{
		vector: vector{
			Name: name, Rule: rule, Expect: "accept", Now: testNow,
			Verifier: verifierConfig{Issuer: testIssuer, Audience: testClient},
		},
		key: "rsa", alg: "RS256",
		header: slices.Clone(base.header), payload: slices.Clone(base.payload),
	}
	if w.kind == "userinfo" {
		d.Want.Subject = "user-1"
	}
	for _, c := range changes {
		c(&d)
	}
	w.base = d
	w.add(d)
}

// refuse adds a vector that differs from the accepted one before it by one change.
func (w *vectorWriter) refuse(name, rule, claim, reason string, one change) {
	w.differ("invalid", name, rule, claim, reason, one)
}

func (w *vectorWriter) differ(expect, name, rule, claim, reason string, one change) {
	d := w.base
	d.DiffersFrom = d.Name
	d.Name, d.Rule, d.Expect, d.Claim, d.Reason = name, rule, expect, claim, reason
	d.header, d.payload, d.edit = slices.Clone(d.header), slices.Clone(d.payload), slices.Clone(d.edit)
	one(&d)
	w.add(d)
}

func (w *vectorWriter) add(d draft) {
	d.vector.Header, d.vector.Payload = object(d.header), object(d.payload)
	for _, e := range d.edit {
		e(&d)
	}
	if w.kind == "introspection" { // is no token, but JSON
		d.Token, d.vector.Header, d.vector.Payload = d.vector.Payload, "", ""
	} else {
		input := b64(d.vector.Header) + "." + cmp.Or(d.body, b64(d.vector.Payload))
		d.Token = input + "." + b64(string(sign(w.t, d.signer(w.t), d.alg, input)))
	}
	if d.finish != nil {
		d.Token = d.finish(d.Token)
	}
	if len(d.Token) > 2000 { // the token says it all again
		d.vector.Payload = ""
	}
	f := w.files[len(w.files)-1]
	f.Vectors = append(f.Vectors, d.vector)
}

func (d *draft) signer(t *testing.T) any {
	if d.secret != nil {
		return d.secret
	}
	return testKeys(t)[d.key].Key
}

func set(list []member, name, value string) []member {
	i := slices.IndexFunc(list, func(m member) bool { return m.name == name })
	if i < 0 {
		return append(list, member{name, value})
	}
	list[i].value = value
	return list
}

func unset(list []member, name string) []member {
	return slices.DeleteFunc(slices.Clone(list), func(m member) bool { return m.name == name })
}

// with sets a claim to a JSON text.
func with(name, value string) change {
	return func(d *draft) { d.payload = set(d.payload, name, value) }
}

// without removes a claim.
func without(name string) change { return func(d *draft) { d.payload = unset(d.payload, name) } }

// again adds a claim, also where one of its name is there.
func again(name, value string) change {
	return func(d *draft) { d.payload = append(d.payload, member{name, value}) }
}

func headerWith(name, value string) change {
	return func(d *draft) { d.header = set(d.header, name, value) }
}

func headerWithout(name string) change { return func(d *draft) { d.header = unset(d.header, name) } }

func headerAgain(name, value string) change {
	return func(d *draft) { d.header = append(d.header, member{name, value}) }
}

func payloadText(f func(string) string) change {
	return func(d *draft) {
		d.edit = append(d.edit, func(d *draft) { d.vector.Payload = f(d.vector.Payload) })
	}
}

func headerText(f func(string) string) change {
	return func(d *draft) {
		d.edit = append(d.edit, func(d *draft) { d.vector.Header = f(d.vector.Header) })
	}
}

// tokenText changes a token that is signed already.
func tokenText(f func(string) string) change { return func(d *draft) { d.finish = f } }

// segments changes the segments of a token that is signed already.
func segments(f func(s []string)) change {
	return tokenText(func(token string) string {
		s := strings.Split(token, ".")
		f(s)
		return strings.Join(s, ".")
	})
}

// signedBy changes what signs and the header's alg with it; the kid is that of the key.
func signedBy(key, alg string) change {
	return func(d *draft) {
		d.key, d.alg, d.secret = key, alg, nil
		d.header = set(set(d.header, "alg", `"`+alg+`"`), "kid", `"`+key+`"`)
	}
}

// forgedBy signs with another key than the header names.
func forgedBy(key string) change { return func(d *draft) { d.key = key } }

func published(keys ...string) change {
	return func(d *draft) { d.JWKS = json.RawMessage(jwks(keys...)) }
}

func verifier(f func(*verifierConfig)) change { return func(d *draft) { f(&d.vector.Verifier) } }

func want(f func(*wantConfig)) change {
	return func(d *draft) {
		if p := d.vector.Want.Previous; p != nil {
			previous := *p
			d.vector.Want.Previous = &previous
		}
		f(&d.vector.Want)
	}
}
