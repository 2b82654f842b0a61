package main

import (
	"bytes"
	"go/format"
	"strings"
	"testing"
	"time"
)

const fixture = "internal/mutate/testdata/fixture"

func mutated(t *testing.T, excused string) *mutation {
	t.Helper()
	m := &mutation{
		root:     "../..",
		targets:  []target{{dir: fixture}},
		tests:    ".",
		workers:  2,
		timeout:  time.Minute,
		excused:  excused,
		progress: t.Logf,
	}
	if err := m.run(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFixture disables the checks of a package of which some are not tested,
// and expects exactly those to survive.
func TestFixture(t *testing.T) {
	prefix := fixture + "/fixture.go:"
	want := map[string]string{
		"Age: error of strconv.Atoi(s)":                "red TestAge/not_a_number",
		"Age: n < 0":                                   "red TestAge/negative",
		"Age: n > 200":                                 "SURVIVED",
		"Enter: known(name) != nil":                    "red TestEnter",
		"Enter: painted(colour) != nil":                "excused",
		`known: case ""`:                               "SURVIVED", // the end of known refuses it as well
		"known: at the end: return errRefused":         "red TestEnter",
		`painted: c == ""`:                             "SURVIVED",
		"painted: at the end: return errRefused":       "SURVIVED",
		"Between: return low <= n":                     "red TestBetween",
		"Between: false: return low <= n && n <= high": "red TestBetween",
		"Between: return n <= high":                    "red TestBetween",
	}
	m := mutated(t, prefix+"Enter: painted(colour) != nil\n\tthe fixture wants an excuse\n")
	got := make(map[string]string)
	for _, c := range m.checks {
		got[strings.TrimPrefix(c.key, prefix)] = strings.TrimSpace(m.verdict(c) + " " + c.red)
	}
	for key, verdict := range want {
		if got[key] != verdict {
			t.Errorf("%s: got %q, want %q", key, got[key], verdict)
		}
	}
	for key, verdict := range got {
		if want[key] == "" {
			t.Errorf("found %s (%s), which is not a check", key, verdict)
		}
	}
	var out bytes.Buffer
	if m.report(&out, false) {
		t.Errorf("report is content with survivors:\n%s", &out)
	}
	if !strings.Contains(out.String(), "12 checks, 7 red when disabled, 1 survive for a stated reason, 4 SURVIVED") {
		t.Errorf("report has other sums:\n%s", &out)
	}
}

func TestStaleExcuses(t *testing.T) {
	const tested = fixture + "/fixture.go:Age: n < 0"
	const gone = fixture + "/fixture.go:Age: n < 1000"
	m := mutated(t, tested+"\n\tit is tested after all\n"+gone+"\n\tit was removed\nelsewhere/x.go:F: x\n\tnot looked at\n")
	want := map[string]string{
		tested: "a test does turn red: TestAge/negative",
		gone:   "there is no such check",
	}
	stale := m.stale()
	for _, s := range stale {
		if want[s.key] != s.why {
			t.Errorf("%s: got %q, want %q", s.key, s.why, want[s.key])
		}
	}
	if len(stale) != len(want) {
		t.Errorf("got %d stale entries, want %d", len(stale), len(want))
	}
}

func TestParseExcuses(t *testing.T) {
	for text, want := range map[string]string{
		"a.go:F: x\n":                   "survivors.txt:1: a.go:F: x has no reason",
		"# head\n\n\treason of nothing": "survivors.txt:3: a reason without a check",
	} {
		if _, err := parseExcuses(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	got, err := parseExcuses("a.go:F: x\n\tone\n\ttwo\n")
	if err != nil || len(got) != 1 || got[0].reason != "one two" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestDecisiveFiles keeps the list of files from rotting: each must exist, and
// what the rewriting makes of it must be Go.
func TestDecisiveFiles(t *testing.T) {
	m := &mutation{root: "../..", work: t.TempDir()}
	for _, target := range decisive() {
		before := len(m.checks)
		if err := m.scan(target, make(map[string]string)); err != nil {
			t.Error(err)
		}
		if len(m.checks) == before {
			t.Errorf("%s: no checks found", target.dir)
		}
	}
}

func TestApply(t *testing.T) {
	const src = "package p\n\nfunc f(a, b, c bool) bool {\n\tif (a || b) && c {\n\t\treturn false\n\t}\n\treturn a && g(func() bool { return b && c })\n}\n"
	f, err := scan("p", "p/p.go", []byte(src), 1)
	if err != nil {
		t.Fatal(err)
	}
	got := string(apply([]byte(src), f.edits))
	if _, err := format.Source([]byte(got)); err != nil {
		t.Fatalf("not Go: %v\n%s", err, got)
	}
	for _, want := range []string{
		"if mutateIf(1, (a || b) && c) {",
		"return mutateIf(2, mutateMust(3, a) && mutateMust(4, g(",
		"func() bool { return mutateIf(5, mutateMust(6, b) && mutateMust(7, c)) }",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
