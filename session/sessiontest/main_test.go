package sessiontest_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/postern-go/postern/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(m)) }

// A recorder is a testing.T that remembers what fails instead of failing.
type recorder struct {
	ctx  context.Context
	once bool // leaves out what comes after a failure

	mu     sync.Mutex
	name   string
	subs   []*recorder
	failed []string
}

func record(t *testing.T) *recorder { return &recorder{ctx: t.Context()} }

func (r *recorder) Run(name string, f func(*recorder)) bool {
	if r.once && len(r.broke()) > 0 {
		return true
	}
	sub := &recorder{ctx: r.ctx, name: name}
	r.subs = append(r.subs, sub)
	done := make(chan struct{})
	go func() { // Fatalf ends it
		defer close(done)
		f(sub)
	}()
	<-done
	return len(sub.failed) == 0
}

func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Helper()                  {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// broke gives the clauses that failed, each with its complaints.
func (r *recorder) broke() map[string]string {
	broken := make(map[string]string)
	for _, sub := range r.subs {
		if len(sub.failed) > 0 {
			broken[sub.name] = strings.Join(sub.failed, "\n")
		}
	}
	return broken
}

// complains asserts that just the clauses of want failed, each with a complaint that has a text.
func (r *recorder) complains(t *testing.T, want map[string]string) {
	t.Helper()
	if len(r.subs) == 0 {
		t.Fatal("no clause was tested")
	}
	broken := r.broke()
	for clause, complaint := range want {
		if !strings.Contains(broken[clause], complaint) || broken[clause] == "" {
			t.Errorf("%s complains %.300q, want %q", clause, broken[clause], complaint)
		}
	}
	for clause, complaint := range broken {
		if _, ok := want[clause]; !ok {
			t.Errorf("%s complains too: %.300s", clause, complaint)
		}
	}
}
