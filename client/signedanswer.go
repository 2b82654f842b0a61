package client

import (
	"errors"
	"fmt"

	"github.com/postern-go/postern/jwtverify"
)

// A signedAnswer is a kind of answer that comes signed, and perhaps encrypted, to a client
// that is registered for it.
type signedAnswer struct {
	name    string // of the field with alg, without SignedResponseAlg
	alg     string // empty: not registered
	decrypt []jwtverify.DecryptionKey
}

func (cfg *Config) signedUserInfo() signedAnswer {
	return signedAnswer{"UserInfo", cfg.UserInfoSignedResponseAlg, cfg.UserInfoDecrypt}
}

func (cfg *Config) signedIntrospection() signedAnswer {
	return signedAnswer{"Introspection", cfg.IntrospectionSignedResponseAlg, cfg.IntrospectionDecrypt}
}

func (cfg *Config) signedAuthorization() signedAnswer {
	return signedAnswer{"Authorization", cfg.AuthorizationSignedResponseAlg, cfg.AuthorizationDecrypt}
}

// checkAnswers checks what the configuration says about signed answers.
func (cfg *Config) checkAnswers() error {
	for _, a := range [...]signedAnswer{cfg.signedAuthorization(), cfg.signedUserInfo(), cfg.signedIntrospection()} {
		if err := a.check(cfg.ClientSecret); err != nil {
			return fmt.Errorf("Config.%w", err)
		}
	}
	if cfg.UserInfoByForm && cfg.DPoP != nil { // RFC 9449 7.1
		return errors.New("Config.UserInfoByForm and Config.DPoP are both set: a token that is bound to a key goes in the header")
	}
	if cfg.UserInfoSignedResponseAlg == "" && cfg.UserInfoDecrypt != nil {
		return errors.New("Config.UserInfoDecrypt is set, and UserInfoSignedResponseAlg is empty: anybody can encrypt")
	}
	if cfg.IntrospectionSignedResponseAlg == "" && cfg.IntrospectionDecrypt != nil {
		return errors.New("Config.IntrospectionDecrypt is set, and IntrospectionSignedResponseAlg is empty: anybody can encrypt")
	}
	return nil
}

// check refuses what no answer could be read with. Its errors begin with the field.
func (a signedAnswer) check(secret string) error {
	switch size := macBytes(a.alg); {
	case a.alg == "":
	case size == 0 && !isAsymmetric(a.alg):
		return fmt.Errorf("%sSignedResponseAlg: %q is no signature algorithm", a.name, cut(a.alg, quoted))
	case len(secret) < size:
		return fmt.Errorf("%sSignedResponseAlg is %s, and Config.ClientSecret has fewer than %d bytes", a.name, a.alg, size)
	}
	if err := checkDecryptionKeys(a.decrypt, "answers"); err != nil {
		return fmt.Errorf("%sDecrypt%w", a.name, err)
	}
	return nil
}

// checkDecryptionKeys refuses keys of no use. Its errors follow the name of the field.
func checkDecryptionKeys(keys []jwtverify.DecryptionKey, what string) error {
	if keys != nil && len(keys) == 0 {
		return errors.New(" has no keys: leave it nil if " + what + " are not encrypted")
	}
	for i, key := range keys {
		if err := key.Check(); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

// verifier returns what decides on such answers. algs are those that may sign where the
// registration says nothing. With an algorithm of the client's secret, keys decide on
// nothing.
func (a signedAnswer) verifier(cfg *Config, algs []string, keys jwtverify.KeySet) *jwtverify.Verifier {
	if a.alg != "" {
		algs = []string{a.alg}
	}
	if macBytes(a.alg) > 0 {
		keys = jwtverify.SharedSecret(cfg.ClientSecret)
	}
	return &jwtverify.Verifier{
		Issuer:     cfg.Issuer,
		Tenants:    cfg.Tenants,
		Audience:   cfg.ClientID,
		Keys:       keys,
		Algorithms: algs,
		Decrypt:    a.decrypt,
		Leeway:     cfg.Leeway,
		Now:        cfg.Now,
	}
}

// registered is the verifier of answers that are signed where the registration says so and
// at no other time; nil: it does not.
func (a signedAnswer) registered(cfg *Config, keys jwtverify.KeySet) *jwtverify.Verifier {
	if a.alg == "" {
		return nil
	}
	return a.verifier(cfg, nil, keys)
}

// refuseJWT makes the error of an answer whose JWT was not accepted.
func (a *answer) refuseJWT(cause error) *ResponseError {
	class := ErrRejected
	if errors.Is(cause, jwtverify.ErrKeys) {
		class = ErrUnavailable
	}
	e := a.refuse("")
	e.Err = fmt.Errorf("%w: %w", class, newVerdict(cause, a.secrets))
	return e
}

// refuseUnsigned makes the error of an answer that should be a JWT: what is not signed
// could be anybody's.
func (a *answer) refuseUnsigned(field string) *ResponseError {
	return a.refuse("the answer is not signed, and Config." + field + " says that it is")
}
