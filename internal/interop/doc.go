// Package interop tries Postern against the real thing: oidc-provider, a certified
// OpenID Provider, and openid-client, a certified relying party, which calls APIs that
// Postern protects, both on Node; Keycloak, on Java; Ory Hydra, for its front-channel
// logout; Redis; and Chromium, driven against examples/web and the sites of the tests.
// It is a module of its own, so that nobody who imports Postern downloads a browser driver.
//
// go test ./... wants node, npm, java, mvn, gcc, redis-server and chromium on the PATH and
// fails without them. Keycloak (300 MB) and Hydra (60 MB, a build of minutes) are kept in
// the user's cache directory.
// The provider listens on localhost and the relying parties on 127.0.0.1: cookies
// do not tell ports apart, and on one host SameSite would never be tested.
package interop
