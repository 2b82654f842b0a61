package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/postern-go/postern/client/clienttest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && leaked() {
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "goroutines left:\n%s\n", buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

// leaked waits up to two seconds for the goroutines of the tests to end.
func leaked() bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if runtime.NumGoroutine() <= 1 {
			return false
		}
		<-tick.C
	}
	return true
}

// A site and its provider are in memory, and what is told of it too.
type site struct {
	*testing.T
	op      *clienttest.Provider
	handler http.Handler
	cookies map[string]*http.Cookie // of the browser
	spans   *tracetest.InMemoryExporter
	numbers *sdkmetric.ManualReader
}

func newTestSite(t *testing.T) *site {
	s := &site{
		T: t, op: clienttest.New(nil), cookies: map[string]*http.Cookie{},
		spans: tracetest.NewInMemoryExporter(), numbers: sdkmetric.NewManualReader(),
	}
	t.Cleanup(func() { s.op.Close() })
	var err error
	s.handler, err = newSite(s.op.Config("https://app.example.com/auth/callback"),
		sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.spans)), sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.numbers)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) send(method, address string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, nil)
	r.Header.Set("Accept", "text/html")
	for _, c := range s.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		s.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(s.cookies, c.Name)
		}
	}
	return w
}

func (s *site) signIn() int {
	s.Helper()
	callback, err := s.op.SignIn(s.send("GET", "https://app.example.com/").Header().Get("Location"), "alice")
	if err != nil {
		s.Fatal(err)
	}
	return s.send("GET", callback.String()).Code
}

// wantSpans are those that have ended since the last time, in the order in which they did.
func (s *site) wantSpans(names ...string) tracetest.SpanStubs {
	s.Helper()
	spans := s.spans.GetSpans()
	s.spans.Reset()
	var got []string
	for _, span := range spans {
		got = append(got, span.Name)
	}
	if !slices.Equal(got, names) {
		s.Errorf("spans %q, want %q", got, names)
	}
	return spans
}

// counted gives what the counter says of each kind of event.
func (s *site) counted() map[string]int64 {
	s.Helper()
	var all metricdata.ResourceMetrics
	if err := s.numbers.Collect(s.Context(), &all); err != nil {
		s.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != "session.events" {
				s.Fatalf("there is a metric %q", m.Name)
			}
			for _, point := range sum.DataPoints {
				kind, _ := point.Attributes.Value("session.event")
				counts[kind.AsString()] += point.Value
			}
		}
	}
	return counts
}

// TestVisit: a span for each operation, and a count of each event.
func TestVisit(t *testing.T) {
	s := newTestSite(t)
	if code := s.signIn(); code != http.StatusSeeOther {
		t.Fatalf("signing in: %d", code)
	}
	s.wantSpans("session login", "session callback")

	s.op.Advance(5 * time.Minute) // the life of an access token
	if body := s.send("GET", "https://app.example.com/").Body.String(); body != "hello, alice\n" {
		t.Errorf("got %q", body)
	}
	s.wantSpans("session refresh")

	s.send("POST", "https://app.example.com/auth/logout")
	s.wantSpans("session logout")
	for _, kind := range []string{"login", "refresh", "logout"} {
		if counts := s.counted(); counts[kind] != 1 {
			t.Errorf("counted %v, want one %s", counts, kind)
		}
	}
}

// TestRefused: a span says what went wrong, and nothing has happened to a session.
func TestRefused(t *testing.T) {
	s := newTestSite(t)
	s.op.SetFaults(clienttest.WrongNonce)
	if code := s.signIn(); code != http.StatusBadRequest {
		t.Fatalf("signing in: %d", code)
	}
	span := s.wantSpans("session login", "session callback")[1]
	if span.Status.Code != codes.Error || !slices.Contains(span.Attributes, attribute.String("error.type", "callback-rejected")) {
		t.Errorf("%+v, %v", span.Status, span.Attributes)
	}
	if counts := s.counted(); len(counts) > 0 {
		t.Errorf("counted %v", counts)
	}
}

// TestRun starts the program and ends it.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	printed, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, func(name string) string { return map[string]string{"ADDR": "127.0.0.1:0"}[name] }, w)
		w.CloseWithError(err)
		done <- err
	}()
	lines := bufio.NewReader(printed)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines)
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "open ")
	if !ok {
		t.Fatalf("the program says %q", line)
	}
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized { // no browser
		t.Errorf("got %s", resp.Status)
	}
	cancel()
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("run: %v", err)
	}
}
