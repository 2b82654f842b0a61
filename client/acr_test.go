package client

import (
	"strings"
	"testing"

	"github.com/postern-go/postern/pkce"
)

// An empty list of acr values sends nothing and demands nothing; handed over with the
// secrets of a login it is a demand that got lost, and refused.
func TestEmptyACR(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{ACRValues: []string{}})
	if login.acr != nil || strings.Contains(login.URL(), "acr_values") {
		t.Errorf("an empty list demands %q", login.acr)
	}
	secrets := LoginSecrets{Issuer: c.Issuer(), ClientID: c.ClientID(), RedirectURL: c.RedirectURL(),
		State: login.state, Nonce: login.nonce, Verifier: pkce.New(), Created: c.Now()}
	if _, err := NewLogin(secrets); err != nil {
		t.Fatalf("without a demand: %v", err)
	}
	secrets.ACR = []string{}
	if got, err := NewLogin(secrets); got != nil || err == nil || !strings.Contains(err.Error(), "ACR is an empty list") {
		t.Errorf("got %v, want the empty list refused", err)
	}
}
