package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-go/postern/jwtverify"
)

// algorithms are those that verify with a public key (RFC 7518 3.1, RFC 8037 3.1,
// RFC 9864 2.2).
var algorithms = [...]string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

func isAsymmetric(alg string) bool { return slices.Contains(algorithms[:], alg) }

// macBytes is how long the secret for an algorithm that has one must be at least, which
// is as long as its hash (RFC 7518 3.2); 0: the algorithm has none.
func macBytes(alg string) int {
	switch alg {
	case "HS256":
		return 32
	case "HS384":
		return 48
	case "HS512":
		return 64
	}
	return 0
}

func (cfg *Config) checkAlgorithms() error {
	for _, alg := range cfg.Algorithms {
		if macBytes(alg) > 0 {
			return fmt.Errorf("Config.Algorithms: %q stands beside no other: name it in Config.IDTokenSignedResponseAlg", alg)
		}
		if !isAsymmetric(alg) {
			return fmt.Errorf("Config.Algorithms: %q is not one of %s", cut(alg, quoted), strings.Join(algorithms[:], ", "))
		}
	}
	alg := cfg.IDTokenSignedResponseAlg
	switch size := macBytes(alg); {
	case alg == "":
		return nil
	case size == 0 && !isAsymmetric(alg):
		return fmt.Errorf("Config.IDTokenSignedResponseAlg: %q is not one of %s, HS256, HS384, HS512",
			cut(alg, quoted), strings.Join(algorithms[:], ", "))
	case cfg.Algorithms != nil:
		return errors.New("Config.IDTokenSignedResponseAlg and Config.Algorithms are both set: one of them says what signs")
	case size > 0 && cfg.ClientSecret == "":
		return fmt.Errorf("Config.IDTokenSignedResponseAlg is %s, and Config.ClientSecret is empty: set it, "+
			"or register the client for an algorithm with a public key, such as RS256", alg)
	case len(cfg.ClientSecret) < size:
		return fmt.Errorf("Config.IDTokenSignedResponseAlg is %s, and Config.ClientSecret has fewer than %d bytes: get a longer one, "+
			"or register the client for an algorithm with a public key, such as RS256", alg, size)
	}
	return nil
}

func (cfg *Config) checkDecrypt() error {
	if err := checkDecryptionKeys(cfg.Decrypt, "ID tokens"); err != nil {
		return fmt.Errorf("Config.Decrypt%w", err)
	}
	return nil
}

// verifier returns what decides on the ID tokens of the provider that m describes.
func (cfg *Config) verifier(m *Metadata, keys jwtverify.KeySet) (*jwtverify.Verifier, error) {
	algs, err := cfg.signingAlgorithms(m.IDTokenSigningAlgValuesSupported)
	if err != nil {
		return nil, err
	}
	v := signedAnswer{"IDToken", cfg.IDTokenSignedResponseAlg, cfg.Decrypt}.verifier(cfg, algs, keys)
	v.TrustedAudiences = cfg.TrustedAudiences
	return v, nil
}

// signingAlgorithms returns the algorithms that may sign ID tokens, where the metadata
// lists supported ones; nil for every one with a public key.
func (cfg *Config) signingAlgorithms(supported []string) ([]string, error) {
	if cfg.IDTokenSignedResponseAlg != "" {
		return []string{cfg.IDTokenSignedResponseAlg}, nil
	}
	supported = cfg.Profile.among(supported)
	if cfg.Algorithms != nil || len(supported) == 0 {
		return cfg.Algorithms, nil
	}
	algs := slices.DeleteFunc(slices.Clone(supported), func(alg string) bool { return !isAsymmetric(alg) })
	if len(algs) == 0 {
		return nil, errors.New("id_token_signing_alg_values_supported has no asymmetric algorithm: see Config.IDTokenSignedResponseAlg")
	}
	return algs, nil
}
