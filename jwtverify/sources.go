package jwtverify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// A ClaimSource says where a provider has claims from that are not its own: signed by
// another party and sent along (aggregated), or to be fetched from that party
// (distributed; both Core 5.6.2). Nothing of it has been verified but that the provider
// said so, and nothing has been fetched: see [SourceFetcher] and [Verifier.SourceClaims].
//
// It holds tokens, and prints as [redacted] in fmt, slog and JSON.
type ClaimSource struct {
	Names []string // of the claims that the source has

	JWT string // aggregated: the claims, signed by their provider

	// Endpoint has the claims otherwise, for whoever shows AccessToken, which may be
	// empty. It is an address out of a token: have it fetched by nothing but a
	// SourceFetcher. The one that Entra sends instead of more than 200 groups is of an
	// API that does not answer like this; ask Microsoft Graph for them.
	Endpoint, AccessToken string
}

// Format keeps the tokens out of every kind of printing.
func (src ClaimSource) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the tokens out of logs.
func (src ClaimSource) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the tokens out of JSON.
func (src ClaimSource) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Sources returns the sources that the token names for claims it does not have itself,
// in the order in which it names them. Nil: none.
func (t *IDToken) Sources() []ClaimSource {
	list, _ := readSources(t.payload)
	return list
}

// Sources returns the sources that the token names for claims it does not have itself,
// in the order in which it names them. Nil: none, or none that can be read.
func (t *AccessToken) Sources() []ClaimSource {
	list, _ := readSources(t.payload)
	return list
}

// ParseSources returns the sources that a JSON object with claims names for those it
// does not have itself, such as the answer of a userinfo endpoint; IDToken and
// AccessToken have a method for it. The error wraps ErrInvalid where _claim_names or
// _claim_sources are not of their form, or a source that is named is not there.
func ParseSources(claims []byte) ([]ClaimSource, error) {
	list, err := readSources(string(claims))
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return list, nil
}

func readSources(payload string) (list []ClaimSource, err error) {
	var c claims
	err = strictjson.Object(payload, claimNames, func(name string, v strictjson.Value) error {
		switch name {
		case "_claim_names":
			c.names = v
		case "_claim_sources":
			c.sources = v
		}
		return nil
	})
	if err != nil {
		return nil, unreadable("claims", err)
	}
	if err := c.references(); err != nil {
		return nil, err
	}
	if !c.names.Exists() {
		return nil, nil
	}
	// All at once: to look for each by its name would cost the square of how many there are.
	sources := map[string]ClaimSource{}
	_ = strictjson.Object(c.sources.Raw(), nil, func(id string, v strictjson.Value) error { // read before, or absent
		sources[id] = newClaimSource(v)
		return nil
	})
	position := map[string]int{}
	err = strictjson.Object(c.names.Raw(), nil, func(claim string, v strictjson.Value) error {
		id, _ := v.String()
		i, known := position[id]
		if !known {
			i = len(list)
			position[id] = i
			list = append(list, sources[id])
		}
		list[i].Names = append(list[i].Names, claim)
		return nil
	})
	return list, err
}

// newClaimSource reads a source whose form has been checked.
func newClaimSource(source strictjson.Value) ClaimSource {
	text := func(name string) string {
		v, _ := source.Member(name)
		s, _ := v.String()
		return s
	}
	return ClaimSource{JWT: text("JWT"), Endpoint: text("endpoint"), AccessToken: text("access_token")}
}

// SourcedClaims are verified claims of another party than the issuer of the token that
// named it. They say nothing about who the user is: that is the token's to say.
//
// They print as [redacted] in fmt, slog and JSON.
type SourcedClaims struct {
	Issuer string    // iss, the provider of these claims
	Expiry time.Time // exp; zero: absent

	payload string
}

// Claims decodes the claims into v, as encoding/json does.
func (c *SourcedClaims) Claims(v any) error {
	if err := json.Unmarshal([]byte(c.payload), v); err != nil {
		return fmt.Errorf("jwtverify: decoding claims: %w", err)
	}
	return nil
}

// Claim returns the JSON value of a claim; see [IDToken.Claim].
func (c *SourcedClaims) Claim(path ...string) (value json.RawMessage, ok bool) {
	return claimAt(c.payload, path)
}

// Texts returns the strings of a claim; see [IDToken.Texts].
func (c *SourcedClaims) Texts(path ...string) (list []string, ok bool) {
	return textsAt(c.payload, path)
}

// Format keeps what is said of a user out of every kind of printing.
func (c SourcedClaims) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps what is said of a user out of logs.
func (c SourcedClaims) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps what is said of a user out of JSON; Claims gives it out.
func (c SourcedClaims) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// SourceClaims verifies the JWT of a claim source (Core 5.6.2), which is src.JWT or
// what a SourceFetcher got for src, and returns those of its claims that src.Names
// has. The Verifier is one for the provider of the claims, with its Issuer and Keys;
// which one that is for which source has to be agreed with the issuer of the token.
// On an error, which wraps exactly one of ErrExpired, ErrInvalid and ErrKeys, the
// claims are nil.
//
// The JWT must be signed and have iss. Where it has aud, that must name Audience;
// where it has exp, that must not be over. Of an aggregated source, all of src.Names
// must be there; of a distributed one, those may be missing that its provider keeps
// back. Claims that identify a user or decide about a token (sub, aud, acr and the
// like) cannot come from a source. A sub in the JWT is the user's at the claims
// provider: it is not looked at, and not compared. Tokens of other kinds are refused.
//
// That the claims are about the user of the token, the issuer of the token alone says:
// by the JWT or the access token that it put there.
func (v *Verifier) SourceClaims(ctx context.Context, raw string, src ClaimSource) (*SourcedClaims, error) {
	c, err := v.sourceClaims(ctx, raw, src)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return c, nil
}

func (v *Verifier) sourceClaims(ctx context.Context, raw string, src ClaimSource) (*SourcedClaims, error) {
	if err := src.expects(raw); err != nil {
		return nil, err
	}
	token, c, err := v.read(ctx, raw, jwtTypes)
	if err != nil {
		return nil, err
	}
	if err := c.isStatement(); err != nil {
		return nil, err
	}
	now := v.now()
	if err := v.vouches(&c, token.key, now); err != nil {
		return nil, err
	}
	picked, err := src.pick(c.payload)
	if err != nil {
		return nil, err
	}
	if err := v.over(&c, now); err != nil { // last, see age
		return nil, err
	}
	return &SourcedClaims{Issuer: c.issuer, Expiry: c.expiry, payload: picked}, nil
}

// neverSourced are the claims that only the issuer of a token can make in it.
var neverSourced = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "tid", "nonce", "auth_time", "acr", "amr", "sid",
	"at_hash", "c_hash", "s_hash", "events", "cnf", "scope", "scp", "client_id", "typ", "token_use",
	"_claim_names", "_claim_sources",
}

// expects refuses a source that no JWT, or not this one, could be the answer to.
func (src *ClaimSource) expects(raw string) error {
	if len(src.Names) == 0 {
		return invalid("ClaimSource.Names is empty")
	}
	for _, name := range src.Names {
		if slices.ContainsFunc(neverSourced, func(n string) bool { return strings.EqualFold(n, name) }) {
			return &ClaimError{Claim: "_claim_names", Reason: "has a claim that cannot come from a source", Got: name, Err: ErrInvalid}
		}
	}
	if src.JWT != "" && raw != src.JWT {
		return invalid("not the JWT of this claim source")
	}
	return nil
}

// vouches checks who makes the claims, for whom and since when.
func (v *Verifier) vouches(c *claims, key *Key, now time.Time) error {
	if c.issuer == "" { // Core says SHOULD; without it the JWT could be anybody's who has the key
		return invalidClaim("iss", "is missing")
	}
	if err := v.checkIssuer(c, key); err != nil {
		return err
	}
	// None is usual: a claims provider need not know who will read an aggregated JWT.
	if c.audience != nil && !slices.Contains(c.audience, v.Audience) { // RFC 7519 4.1.3
		return &ClaimError{Claim: "aud", Reason: "does not name this audience", Want: v.Audience, Got: c.audience, Err: ErrInvalid}
	}
	return v.begun(c, now)
}

// pick returns an object with the claims that the source has been named for. What
// else its JWT says was not asked for.
func (src *ClaimSource) pick(payload string) (string, error) {
	missing := map[string]bool{}
	for _, name := range src.Names {
		missing[name] = true
	}
	var picked []byte
	_ = strictjson.Object(payload, nil, func(name string, v strictjson.Value) error { // readClaims has read it before
		if missing[name] {
			delete(missing, name)
			quoted, _ := json.Marshal(name)
			picked = append(append(append(append(picked, ','), quoted...), ':'), v.Raw()...)
		}
		return nil
	})
	for _, name := range src.Names {
		if src.JWT != "" && missing[name] { // Core 5.6.2 demands it of aggregated claims only
			return "", &ClaimError{Claim: "_claim_names", Reason: "has a claim that its source has not", Got: name, Err: ErrInvalid}
		}
	}
	return "{" + strings.TrimPrefix(string(picked), ",") + "}", nil
}
