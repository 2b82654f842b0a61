package session

import (
	"strings"
)

// A sealed session that does not fit one cookie is packed and split. Chunk 0 has
// the cookie's own name, and
//
//	version, count of chunks, key ID, form, start of the packed bytes
//
// the others have the name, a dot and their number, and
//
//	tag, more of the packed bytes
//
// The tag is what the packed bytes in chunk 0 begin with, and these are a MAC of
// all of them: chunks of another response have another tag, and are not looked
// at. What is put together opens only if it is whole and in order.
const (
	// maxCookie bounds a cookie in bytes, with its name and attributes. Browsers
	// drop, without a word, a name and value of more than 4,096.
	maxCookie = 4000
	// maxChunks keeps the count one digit.
	maxChunks = 9
	// tagLength is 48 bits of the MAC.
	tagLength = 8

	formatVersion = '1'
	// tagStart is behind version, count, key ID and form.
	tagStart = 2 + keyIDLength + formLength
)

// chunkNames are the names of the chunks of a cookie.
func chunkNames(name string) (names [maxChunks]string) {
	names[0] = name
	for i := 1; i < maxChunks; i++ {
		names[i] = name + "." + string(rune('0'+i))
	}
	return names
}

// splitSealed makes the values of the chunks, none longer than room. It makes
// more than maxChunks rather than fail; the caller looks at the budget.
func splitSealed(sealed string, room int) []string {
	tag := sealed[keyIDLength+formLength:][:tagLength]
	head := min(len(sealed), room-2)
	values := []string{""}
	for rest := sealed[head:]; rest != ""; {
		n := min(len(rest), room-tagLength)
		values = append(values, tag+rest[:n])
		rest = rest[n:]
	}
	values[0] = string([]byte{formatVersion, byte('0' + min(len(values), maxChunks))}) + sealed[:head]
	return values
}

// A twice holds up to two values a request has under one cookie name. Browsers
// send two when another path or a subdomain set one too; more are not looked at.
type twice struct {
	values [2]string
	n      int
}

func (t *twice) add(value string) {
	if t.n < len(t.values) {
		t.values[t.n] = value
		t.n++
	}
}

func (t *twice) all() []string { return t.values[:t.n] }

// joinChunks calls try with everything that chunk 0 could be the start of, until
// try says true. That is one text, unless a chunk is there twice with the
// same tag: then both are tried, for the first three such chunks.
func joinChunks(first string, found *[maxChunks]twice, try func(sealed string) bool) {
	if len(first) < tagStart+tagLength || len(first) > maxCookie || first[0] != formatVersion {
		return
	}
	count := int(first[1]) - '0'
	if count < 1 || count > maxChunks {
		return
	}
	if count == 1 {
		try(first[2:])
		return
	}
	var chunks [maxChunks]twice
	chunks[0].add(first[2:])
	tag := first[tagStart:][:tagLength]
	doubles := 0
	for i := 1; i < count; i++ {
		for _, value := range found[i].all() {
			if rest, ok := strings.CutPrefix(value, tag); ok && len(value) <= maxCookie {
				chunks[i].add(rest)
			}
		}
		if chunks[i].n == 0 {
			return
		}
		doubles += chunks[i].n - 1
	}
	for choice := range 1 << min(doubles, 3) {
		if try(assemble(chunks[:count], choice)) {
			return
		}
	}
}

// assemble concatenates chunks; the bits of choice say which of two to take.
func assemble(chunks []twice, choice int) string {
	var b strings.Builder
	for i := range chunks {
		pick := 0
		if chunks[i].n == 2 {
			pick, choice = choice&1, choice>>1
		}
		b.WriteString(chunks[i].values[pick])
	}
	return b.String()
}
