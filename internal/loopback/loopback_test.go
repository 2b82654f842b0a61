package loopback

import "testing"

func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost":        true,
		"LOCALHOST":        true,
		"127.0.0.1":        true,
		"127.0.0.2":        true,
		"127.255.255.255":  true,
		"::1":              true,
		"0:0:0:0:0:0:0:1":  true,
		"::ffff:127.0.0.1": true,

		"":                      false,
		"localhost.":            false,
		"foo.localhost":         false,
		"evillocalhost":         false,
		"localhost.example.com": false,
		"127.0.0.1.example.com": false,
		"localho\u017ft":        false,
		"localhost:80":          false,
		"[::1]":                 false,
		"::1%lo":                false,
		"127.1":                 false,
		"127.0.0.01":            false,
		"0x7f.1":                false,
		"2130706433":            false,
		"0.0.0.0":               false,
		"::":                    false,
		"126.255.255.255":       false,
		"128.0.0.0":             false,
		"10.0.0.1":              false,
		"::2":                   false,
		"::ffff:10.0.0.1":       false,
	} {
		if got := Host(host); got != want {
			t.Errorf("Host(%q) = %v", host, got)
		}
	}
}
