package session

import (
	"errors"
	"fmt"
	"strings"
)

// minSecret is the least length of a secret in bytes: 256 bits where they are
// random bytes, and still 128 where they are hexadecimal digits.
const minSecret = 32

// placeholders are words that stand in secrets people were told to replace.
var placeholders = [...]string{"changeme", "change-me", "change_me", "change me", "replace", "example", "password", "secret"}

const howToMakeASecret = "make one with: openssl rand -base64 32"

// checkSecret refuses what is too short to be a secret, or obviously nobody's.
// It cannot know that a secret is random. Its errors never quote it.
func checkSecret(secret string) error {
	switch {
	case secret == "":
		return errors.New("it is empty: is the environment variable set? " + howToMakeASecret)
	case len(secret) < minSecret:
		return fmt.Errorf("it has %d bytes, at least %d are needed: %s", len(secret), minSecret, howToMakeASecret)
	case period(secret) < minSecret && period(secret) <= len(secret)/2:
		return errors.New("it repeats itself: " + howToMakeASecret)
	case variety(secret, func(i int) byte { return secret[i] }) < 8:
		return errors.New("it has fewer than 8 different bytes: " + howToMakeASecret)
	case variety(secret[1:], func(i int) byte { return secret[i+1] - secret[i] }) < 8:
		return errors.New("it is a sequence: " + howToMakeASecret)
	}
	lower := strings.ToLower(secret)
	for _, word := range placeholders {
		if strings.Contains(lower, word) {
			return fmt.Errorf("it has the word %q in it, as placeholders have: %s", word, howToMakeASecret)
		}
	}
	return nil
}

// period is the least p such that s repeats its first p bytes.
func period(s string) int {
	for p := 1; p < len(s); p++ {
		if s[p:] == s[:len(s)-p] {
			return p
		}
	}
	return len(s)
}

// variety counts the different bytes that at gives for the indexes of s.
func variety(s string, at func(int) byte) int {
	var seen [256]bool
	n := 0
	for i := range len(s) {
		if b := at(i); !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}
