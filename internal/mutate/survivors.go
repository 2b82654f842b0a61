package main

import (
	"fmt"
	"strings"
)

// An excuse is an entry of survivors.txt: a check that may survive, and why.
type excuse struct {
	line   int
	key    string
	reason string
}

// parseExcuses reads the format that the head of survivors.txt describes.
func parseExcuses(text string) ([]excuse, error) {
	var excuses []excuse
	for i, line := range strings.Split(text, "\n") {
		indented := strings.HasPrefix(line, "\t")
		body := strings.TrimSpace(line)
		switch {
		case body == "" || strings.HasPrefix(line, "#"):
		case indented && len(excuses) == 0:
			return nil, fmt.Errorf("survivors.txt:%d: a reason without a check", i+1)
		case indented:
			last := &excuses[len(excuses)-1]
			last.reason = strings.TrimSpace(last.reason + " " + body)
		default:
			excuses = append(excuses, excuse{line: i + 1, key: body})
		}
	}
	for _, e := range excuses {
		if e.reason == "" {
			return nil, fmt.Errorf("survivors.txt:%d: %s has no reason", e.line, e.key)
		}
	}
	return excuses, nil
}

type staleExcuse struct {
	excuse
	why string
}

// stale lists the entries, among the files looked at, that excuse nothing.
// A run of single checks or single tests cannot tell.
func (m *mutation) stale() []staleExcuse {
	if m.only != nil || m.tests != "." {
		return nil
	}
	byKey := make(map[string]*check)
	for _, c := range m.checks {
		byKey[c.key] = c
	}
	var stale []staleExcuse
	for _, e := range m.excuses {
		file, _, _ := strings.Cut(e.key, ":")
		c := byKey[e.key]
		switch {
		case !m.looked[file]:
		case c == nil:
			stale = append(stale, staleExcuse{e, "there is no such check"})
		case c.red != "":
			stale = append(stale, staleExcuse{e, "a test does turn red: " + c.red})
		}
	}
	return stale
}
