package jwtverify

// WithPayload is t with the claims that Claims and Texts read.
func WithPayload(t AccessToken, payload string) *AccessToken {
	t.payload = payload
	return &t
}
