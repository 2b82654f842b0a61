package jwtverify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// The files of dpop/; README.md beside them describes their form.
type proofFile struct {
	About   string        `json:"about"`
	Vectors []proofVector `json:"vectors"`
}

type proofVector struct {
	Name        string `json:"name"`
	Rule        string `json:"rule"`
	Expect      string `json:"expect"`                 // accept, invalid or nonce
	Claim       string `json:"claim,omitempty"`        // the claim or header parameter refused
	Reason      string `json:"reason,omitempty"`       // what our error says of it
	DiffersFrom string `json:"differs_from,omitempty"` // an accepted vector, by one thing

	Now     int64        `json:"now"`
	Server  proofServer  `json:"server,omitzero"`
	Request proofRequest `json:"request"`
	Times   int          `json:"times,omitempty"`  // how often the proof is presented; the last time counts
	Header  string       `json:"header,omitempty"` // as text, for the reader
	Payload string       `json:"payload,omitempty"`
	Proof   string       `json:"proof"`
}

type proofServer struct {
	Algorithms    []string `json:"algorithms,omitzero"`
	WindowSeconds int64    `json:"window_seconds,omitempty"`
	RequireNonce  bool     `json:"require_nonce,omitempty"`
}

type proofRequest struct {
	Method      string `json:"method"`
	URL         string `json:"url"`
	AccessToken string `json:"access_token"`
	JKT         string `json:"jkt"`
}

func (r proofRequest) expect() jwtverify.ExpectProof {
	return jwtverify.ExpectProof{Method: r.Method, URL: r.URL, AccessToken: r.AccessToken, JKT: r.JKT}
}

func (v proofVector) server() *jwtverify.DPoP {
	return &jwtverify.DPoP{
		Algorithms:   v.Server.Algorithms,
		Window:       time.Duration(v.Server.WindowSeconds) * time.Second,
		RequireNonce: v.Server.RequireNonce,
		Now:          func() time.Time { return time.Unix(v.Now, 0) },
	}
}

// loadProofVectors reads all files of dpop/, and fails where there are none.
func loadProofVectors(tb testing.TB) []proofVector {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(vectorDir, "dpop", "*.json"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no vector files for dpop: %v", err)
	}
	var all []proofVector
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		var file proofFile
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&file); err != nil {
			tb.Fatalf("%s: %v", path, err)
		}
		if len(file.Vectors) == 0 {
			tb.Fatalf("%s: no vectors", path)
		}
		all = append(all, file.Vectors...)
	}
	return all
}

func TestProofVectors(t *testing.T) {
	accepted := map[string]bool{}
	vectors := loadProofVectors(t)
	for _, v := range vectors {
		if _, twice := accepted[v.Name]; twice {
			t.Errorf("two vectors named %q", v.Name)
		}
		accepted[v.Name] = v.Expect == "accept"
		t.Run(v.Name, func(t *testing.T) { checkProofVector(t, v) })
	}
	if len(vectors) < 150 {
		t.Errorf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		if v.Expect != "accept" && !accepted[v.DiffersFrom] {
			t.Errorf("%s differs from %q, which is no accepted vector", v.Name, v.DiffersFrom)
		}
	}
}

func checkProofVector(t *testing.T, v proofVector) {
	if v.Rule == "" {
		t.Error("states no rule")
	}
	dpop := v.server()
	err := dpop.Verify(t.Context(), v.Proof, v.Request.expect())
	for range v.Times - 1 {
		if err != nil {
			t.Fatalf("refused at once: %v", err)
		}
		err = dpop.Verify(t.Context(), v.Proof, v.Request.expect())
	}
	if v.Expect == "accept" {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return
	}
	checkProofRefusal(t, err, v.Expect, v.Claim, v.Reason)
}

// checkProofRefusal asserts the reason of an error of DPoP.Verify.
func checkProofRefusal(t *testing.T, err error, expect, claim, reason string) {
	t.Helper()
	nonce := expect == "nonce"
	if nonce {
		expect = "invalid"
	}
	checkRefusal(t, err, expect, claim, reason)
	if errors.Is(err, jwtverify.ErrNonce) != nonce {
		t.Errorf("want ErrNonce: %t, got: %v", nonce, err)
	}
}
