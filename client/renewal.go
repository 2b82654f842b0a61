package client

import (
	"sync"

	"golang.org/x/oauth2"
)

// renewals are what a source of tokens does to have a new one, one at a time. The lock is
// for everything in the source.
type renewals struct {
	mu      sync.Mutex
	renewal *renewal // the one under way, if any
}

// A renewal is what all callers of its time wait for.
type renewal struct {
	done  chan struct{}
	token *oauth2.Token
	err   error
}

// once returns what held answers, which is called under the lock; and where that has no
// answer, what renew brings, which runs in the goroutine of one caller. abandoned is for
// the others, where it does not return.
func (s *renewals) once(held func() (token *oauth2.Token, err error, ok bool), renew func() (*oauth2.Token, error), abandoned error) (*oauth2.Token, error) {
	s.mu.Lock()
	if token, err, ok := held(); ok {
		defer s.mu.Unlock()
		return copied(token, err)
	}
	if r := s.renewal; r != nil {
		s.mu.Unlock()
		<-r.done
		return copied(r.token, r.err)
	}
	r := &renewal{done: make(chan struct{}), err: abandoned}
	s.renewal = r
	s.mu.Unlock()

	defer s.finish(r) // even if the program's own code panics in it
	r.token, r.err = renew()
	return copied(r.token, r.err)
}

func (s *renewals) finish(r *renewal) {
	s.mu.Lock()
	s.renewal = nil
	s.mu.Unlock()
	close(r.done)
}

// copied gives each caller a token of its own.
func copied(token *oauth2.Token, err error) (*oauth2.Token, error) {
	if token == nil {
		return nil, err
	}
	own := *token
	return &own, err
}
