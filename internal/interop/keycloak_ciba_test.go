package interop

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// A phone is where Keycloak asks a person to agree to what a client began (CIBA). It
// passes every question on to the test.
type phone struct {
	server *httptest.Server
	asked  chan question
}

type question struct {
	LoginHint      string `json:"login_hint"`
	BindingMessage string `json:"binding_message"`
	authorization  string // for the answer
}

func newPhone() *phone {
	ph := &phone{asked: make(chan question, 8)}
	ph.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := question{authorization: r.Header.Get("Authorization")}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ph.asked <- q
		w.WriteHeader(http.StatusCreated) // Keycloak takes no other answer for a yes
	}))
	return ph
}

// next is the question that Keycloak asks next.
func (ph *phone) next(t *testing.T) question {
	t.Helper()
	select {
	case q := <-ph.asked:
		return q
	case <-time.After(startTimeout):
		t.Fatal("nobody was asked")
		return question{}
	}
}

// answer tells Keycloak what the person said: SUCCEED, UNAUTHORIZED or CANCELLED.
func (k *keycloakServer) answer(t *testing.T, q question, status string) {
	t.Helper()
	payload, err := json.Marshal(map[string]string{"status": status})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, k.Issuer+"/protocol/openid-connect/ext/ciba/auth/callback", bytes.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", q.authorization)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the answer of the phone: %s", resp.Status)
	}
}

// The road that Keycloak's CIBA takes here, with plain requests: the client, the phone,
// the token.
func TestKeycloakPhone(t *testing.T) {
	k := startKeycloak(t)
	reg := k.register(t, callbackURL, metadata{
		"grant_types": []string{"urn:openid:params:grant-type:ciba"}, "backchannel_token_delivery_mode": "poll",
	})
	post := func(endpoint string, form url.Values) (answer struct {
		Request  string `json:"auth_req_id"`
		Interval int    `json:"interval"`
		Error    string `json:"error"`
		IDToken  string `json:"id_token"`
	}) {
		t.Helper()
		form.Set("client_id", reg.ID)
		form.Set("client_secret", reg.Secret)
		resp, err := http.PostForm(k.endpoint(t, endpoint), form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	begun := post("backchannel_authentication_endpoint", url.Values{"scope": {"openid"}, "login_hint": {"alice"}, "binding_message": {"W4SCT"}})
	if begun.Request == "" || begun.Interval != 1 {
		t.Fatalf("interval %d, error %q", begun.Interval, begun.Error)
	}
	poll := url.Values{"grant_type": {"urn:openid:params:grant-type:ciba"}, "auth_req_id": {begun.Request}}
	if got := post("token_endpoint", poll); got.Error != "authorization_pending" {
		t.Errorf("before the answer: %q, want authorization_pending", got.Error)
	}
	q := k.phone.next(t)
	if q.LoginHint != "alice" || q.BindingMessage != "W4SCT" {
		t.Errorf("the phone was asked about %q, with %q", q.LoginHint, q.BindingMessage)
	}
	k.answer(t, q, "SUCCEED")
	eventually(t, "a token", func() (bool, error) { return post("token_endpoint", poll).IDToken != "", nil })
}
