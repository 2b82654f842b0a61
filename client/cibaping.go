package client

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/jwtpack"
	"github.com/postern-go/postern/internal/strictjson"
)

// maxPing is more than a ping ever has, in bytes; auth_req_id has some 50.
const maxPing = 8 << 10

// CIBAPing checks the notification that a provider sends when a person has decided (CIBA
// Core 10.2), and returns the login that [Client.WaitCIBA] then asks for at once. find
// returns the login of an auth_req_id that comes from outside; nil, if there is none.
//
// It checks that r is a POST of one JSON object with the auth_req_id of that login, and
// that its bearer token is the one that the login was begun with, in constant time. It
// does not check that the person said yes, nor that the ping is the first: only the
// provider knows, when it is asked.
//
// The error wraps ErrRejected where the ping did not pass: answer 401. Any other is that of
// find. Answer 204 to a ping that passed, and ask for the tokens after that. No
// answer may redirect (10.2).
func CIBAPing(r *http.Request, find func(ctx context.Context, authReqID string) (*CIBALogin, error)) (*CIBALogin, error) {
	token, ok := bearerToken(r.Header)
	switch {
	case r.Method != http.MethodPost:
		return nil, refusePing("is not a POST")
	case !ok:
		return nil, refusePing("has no bearer token")
	}
	id, err := readPing(r)
	if err != nil {
		return nil, refusePing(err.Error())
	}
	login, err := find(r.Context(), id)
	if err != nil {
		return nil, fmt.Errorf("client: CIBA ping: %w", err)
	}
	switch {
	case login == nil || !sameSecret(login.id, id):
		return nil, refusePing("is about no sign-in of ours")
	case login.notification == "":
		return nil, refusePing("was not asked for")
	case !sameSecret(login.notification, token):
		return nil, refusePing("has another bearer token")
	}
	pinged := *login
	pinged.pinged = true
	return &pinged, nil
}

func refusePing(reason string) error {
	return fmt.Errorf("client: %w: the CIBA ping %s", ErrRejected, reason)
}

// bearerToken reads the one Authorization header (RFC 6750 2.1).
func bearerToken(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// readPing reads CIBA 10.2.
func readPing(r *http.Request) (id string, err error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return "", errors.New("is not application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPing+1))
	if err != nil {
		return "", errors.New("could not be read")
	}
	if len(body) > maxPing {
		return "", fmt.Errorf("has more than %d bytes", maxPing)
	}
	err = members(string(body), []string{"auth_req_id"}, func(name string, v strictjson.Value) error {
		if name == "auth_req_id" {
			id, _ = v.String()
		}
		return nil
	})
	if err != nil {
		return "", errors.New("is " + err.Error())
	}
	if id == "" {
		return "", errors.New("has no auth_req_id")
	}
	return id, nil
}

// sameSecret compares in constant time.
func sameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

const cibaVersion = 1

var errCIBAData = errors.New("client: not the data of a CIBALogin")

// MarshalBinary returns the CIBALogin for storage. It holds secrets in the clear: seal
// it. The form is versioned, and later versions of this package read it.
func (l *CIBALogin) MarshalBinary() ([]byte, error) {
	p := &l.pending
	b := []byte{cibaVersion}
	b = binary.AppendVarint(b, p.expires.Unix())
	b = binary.AppendVarint(b, int64(p.interval/time.Second))
	for _, s := range [...]string{p.issuer, p.clientID, l.id, l.notification, l.subject, p.asked.scope, strings.Join(p.asked.acr, " ")} {
		b = jwtpack.Append(b, s)
	}
	return b, nil
}

// UnmarshalBinary restores what MarshalBinary wrote, and refuses all else. It does not
// find out who wrote it: feed it only what comes from under your own seal.
func (l *CIBALogin) UnmarshalBinary(data []byte) error {
	r := reader{data: data}
	if r.byte() != cibaVersion {
		return errCIBAData
	}
	expires, interval := r.varint(), r.varint()
	var n CIBALogin
	var acr string
	for _, s := range [...]*string{&n.pending.issuer, &n.pending.clientID, &n.id, &n.notification, &n.subject, &n.pending.asked.scope, &acr} {
		*s = r.text()
	}
	if r.failed || len(r.data) > 0 || interval < 1 || interval > int64(maxLifetime/time.Second) {
		return errCIBAData
	}
	n.pending.expires = time.Unix(expires, 0)
	n.pending.interval = time.Duration(interval) * time.Second
	n.pending.asked.person = true
	if acr != "" {
		n.pending.asked.acr = strings.Split(acr, " ")
	}
	*l = n
	return nil
}
