package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"

	"github.com/postern-go/postern/client"
)

type service struct {
	rp             *client.Client
	next, audience string
	http           *http.Client
}

// call answers with what the next service says to the user who signed in. The front end
// learns a status and a sentence, the log the reason.
func (s *service) call(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	subject, answer, err := s.trade(r.Context(), r.PostForm)
	switch {
	case errors.Is(err, client.ErrUnavailable):
		log.Print(err)
		http.Error(w, "try again later", http.StatusServiceUnavailable)
	case err != nil:
		log.Print(err)
		http.Error(w, "the sign-in was refused: begin another", http.StatusForbidden)
	default:
		fmt.Fprintf(w, "%s: %s\n", subject, answer)
	}
}

// trade goes from a callback to the answer of the next service.
func (s *service) trade(ctx context.Context, form url.Values) (subject, answer string, err error) {
	login, err := s.login(form)
	if err != nil {
		return "", "", err
	}
	callback, err := url.ParseQuery(form.Get("callback"))
	if err != nil {
		return "", "", err
	}
	user, err := s.rp.Exchange(ctx, login, callback)
	if err != nil {
		return "", "", err
	}
	// The user's token is for this service. The next one gets a token of its own, which
	// is good there and nowhere else.
	own, err := s.rp.ExchangeToken(ctx, client.TokenExchange{SubjectToken: user.AccessToken},
		&client.GrantOptions{Audience: []string{s.audience}, Scopes: []string{"notes"}})
	if err != nil {
		return "", "", err
	}
	answer, err = s.ask(ctx, own.AccessToken)
	return user.IDToken.Subject, answer, err
}

func (s *service) ask(ctx context.Context, token string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.next, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := s.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the next service answers %s", resp.Status)
	}
	return string(text), err
}
