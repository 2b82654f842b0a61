package session

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxChallenge bounds what is read of the WWW-Authenticate header of an API, in bytes.
	maxChallenge = 8 << 10
	// maxDemandAge is for a max_age that fits a time.Duration many times over.
	maxDemandAge = 10 * 365 * 24 * time.Hour
)

// Challenge reads from the answer of an API that the access token is not enough: that the
// user should authenticate in another way or anew (RFC 9470 3), or grant a scope (RFC 6750
// 3.1). nil: it says nothing of the kind. [Manager.StepUp] does what it says:
//
//	resp, err := session.From(r.Context()).HTTPClient().Get(ordersURL)
//	...
//	if demand := session.Challenge(resp); demand != nil {
//		auth.StepUp(w, r, demand)
//		return
//	}
//
// Who asks decides what the provider is asked for: believe only APIs of your own.
func Challenge(resp *http.Response) *Demand {
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return nil
	}
	for _, line := range resp.Header.Values("WWW-Authenticate") {
		if len(line) > maxChallenge {
			continue
		}
		for _, params := range parseChallenges(line) {
			if d := demandOf(params); d != nil {
				return d
			}
		}
	}
	return nil
}

// demandOf reads the parameters of one challenge. One that asks for nothing in
// particular is none.
func demandOf(params map[string]string) *Demand {
	switch params["error"] {
	case "insufficient_user_authentication":
		d := &Demand{ACR: strings.Fields(params["acr_values"]), Reason: ReasonMaxAge}
		if seconds, err := strconv.ParseUint(params["max_age"], 10, 32); err == nil {
			maxAge := min(time.Duration(seconds)*time.Second, maxDemandAge)
			d.MaxAge = &maxAge
		}
		if len(d.ACR) > 0 {
			d.Reason = ReasonACR
		}
		if (d.MaxAge != nil || len(d.ACR) > 0) && d.check() == nil {
			return d
		}
	case "insufficient_scope":
		d := &Demand{Scopes: strings.Fields(params["scope"])}
		if checkWords("scope", d.Scopes) == nil {
			return d
		}
	}
	return nil
}

// parseChallenges reads the parameters of each challenge in a header line (RFC 9110
// 11.6.1). It stops where the line has another form: what stood before is good. Names are
// in lower case; of a name that is there twice, nothing is believed.
func parseChallenges(line string) (all []map[string]string) {
	var params map[string]string
	p := challengeReader{line}
	for {
		p.skip(" \t,")
		name := p.token()
		if name == "" {
			return all
		}
		p.skip(" \t")
		if params == nil || !strings.HasPrefix(p.rest, "=") { // a scheme
			params = map[string]string{}
			all = append(all, params)
			continue
		}
		p.rest = p.rest[1:]
		p.skip(" \t")
		value, ok := p.value()
		if !ok {
			return all
		}
		name = strings.ToLower(name)
		if _, twice := params[name]; twice {
			value = ""
		}
		params[name] = value
	}
}

// A challengeReader takes tokens and values off the front of rest.
type challengeReader struct{ rest string }

func (p *challengeReader) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

// token is RFC 9110 5.6.2, and the characters of token68 that no token has.
func (p *challengeReader) token() string {
	end := strings.IndexFunc(p.rest, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`"(),:;<=>?@[\]{}`, c)
	})
	if end < 0 {
		end = len(p.rest)
	}
	token := p.rest[:end]
	p.rest = p.rest[end:]
	return token
}

// value is a token or a quoted-string (RFC 9110 5.6.4).
func (p *challengeReader) value() (string, bool) {
	if !strings.HasPrefix(p.rest, `"`) {
		token := p.token()
		return token, token != ""
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
