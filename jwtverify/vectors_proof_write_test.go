package jwtverify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/cryptotest"

	"github.com/postern-go/postern/jwtverify"
)

// TestWriteProofVectors is TestWriteVectors for the files of dpop/.
func TestWriteProofVectors(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	w := &proofWriter{t: t}
	for _, table := range []func(*proofWriter){
		proofAlgorithmVectors, proofFormVectors, proofHeaderVectors, proofKeyVectors,
		proofClaimVectors, proofTargetVectors, proofTimeVectors, proofBindingVectors, proofUseVectors,
	} {
		table(w)
	}
	for i, f := range w.files {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(vectorDir, "dpop", w.names[i]+".json")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, b.Bytes()) {
			t.Errorf("%s is not what the tables make (go test ./jwtverify -run TestWriteProofVectors -update): %v", path, err)
		}
	}
	onDisk, err := filepath.Glob(filepath.Join(vectorDir, "dpop", "*.json"))
	if err != nil || len(onDisk) != len(w.files) {
		t.Errorf("%d vector files, and the tables make %d: %v", len(onDisk), len(w.files), err)
	}
}

// A proofDraft is a vector before its proof is signed. What is signed, and by what,
// is in the draft that vectors of tokens have too.
type proofDraft struct {
	proofVector
	draft draft
}

type proofChange func(*proofDraft)

type proofWriter struct {
	t     *testing.T
	names []string
	files []*proofFile
	base  proofDraft
}

func (w *proofWriter) file(name, about string) {
	w.names = append(w.names, name)
	w.files = append(w.files, &proofFile{About: about})
}

// accept adds an accepted vector, which the refused ones after it differ from.
func (w *proofWriter) accept(name, rule string, changes ...proofChange) {
	d := proofDraft{
		proofVector: proofVector{
			Name: name, Rule: rule, Expect: "accept", Now: testNow,
			Request: proofRequest{Method: "POST", URL: "https://api.example.com/orders/7", AccessToken: "access-token-1"},
		},
		draft: draft{payload: []member{
			{"jti", `"0a1b2c3d4e5f"`}, {"htm", `"POST"`}, {"htu", `"https://api.example.com/orders/7"`},
			{"iat", "1767225598"}, {"ath", `"` + hashOf("access-token-1") + `"`},
		}},
	}
	d.draft.header = []member{{"typ", `"dpop+jwt"`}}
	provedBy("ed25519", "EdDSA")(w.t, &d)
	for _, c := range changes {
		c(&d)
	}
	w.base = d
	w.add(d)
}

// refuse adds a vector that differs from the accepted one before it by one change.
func (w *proofWriter) refuse(name, rule, claim, reason string, one proofChange) {
	w.differ("invalid", name, rule, claim, reason, one)
}

func (w *proofWriter) differ(expect, name, rule, claim, reason string, one proofChange) {
	d := w.base
	d.DiffersFrom = d.Name
	d.Name, d.Rule, d.Expect, d.Claim, d.Reason = name, rule, expect, claim, reason
	d.draft.header, d.draft.payload, d.draft.edit = slices.Clone(d.draft.header), slices.Clone(d.draft.payload), slices.Clone(d.draft.edit)
	one(&d)
	w.add(d)
}

func (w *proofWriter) add(d proofDraft) {
	s := &d.draft
	s.vector.Header, s.vector.Payload = object(s.header), object(s.payload)
	for _, e := range s.edit {
		e(s)
	}
	body := s.body
	if body == "" {
		body = b64(s.vector.Payload)
	}
	d.Header, d.Payload = s.vector.Header, s.vector.Payload
	d.Proof = mintSegments(w.t, s.key, s.alg, b64(d.Header), body)
	if s.finish != nil {
		d.Proof = s.finish(d.Proof)
	}
	if len(d.Proof) > 4000 { // the proof says it all again
		d.Header, d.Payload = "", ""
	}
	f := w.files[len(w.files)-1]
	f.Vectors = append(f.Vectors, d.proofVector)
}

// signs makes a change of what is signed a change of a proof.
func signs(c change) proofChange { return func(d *proofDraft) { c(&d.draft) } }

// by changes the key that proves, the one in the header, and the one that the access
// token is bound to.
func (w *proofWriter) by(key, alg string) proofChange {
	return func(d *proofDraft) { provedBy(key, alg)(w.t, d) }
}

func provedBy(key, alg string) func(testing.TB, *proofDraft) {
	return func(tb testing.TB, d *proofDraft) {
		d.draft.key, d.draft.alg = key, alg
		d.draft.header = set(set(d.draft.header, "alg", `"`+alg+`"`), "jwk", jwkInProof(tb, key))
		d.Request.JKT = thumbprint(tb, key)
	}
}

func requested(f func(*proofRequest)) proofChange { return func(d *proofDraft) { f(&d.Request) } }

func servedBy(f func(*proofServer)) proofChange { return func(d *proofDraft) { f(&d.Server) } }

// jwkInProof is a test key as it stands in a proof.
func jwkInProof(tb testing.TB, key string, members ...member) string {
	return jwk(tb, key, append([]member{{"kid", ""}}, members...)...)
}

func thumbprint(tb testing.TB, key string) string {
	tb.Helper()
	jkt, err := jwtverify.Key{Public: publicKey(tb, key)}.Thumbprint()
	if err != nil {
		tb.Fatal(err)
	}
	return jkt
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return b64(string(sum[:]))
}
