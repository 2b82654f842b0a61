// Package session signs the users of a web application in and out through an
// OpenID provider, and keeps who is signed in, in sealed cookies or in a [Store].
//
// It stands on package client, which is the protocol. A [Manager] has the
// routes ([Manager.Routes]), the middleware ([Manager.Require], [Manager.Guard],
// [Manager.Load]) and nothing to be called in between; a handler asks [From] for
// its [Session].
//
// # Where to find what
//
//	everybody signed in, or else sent to sign in    Manager.Require
//	everybody, greeted if known                     Manager.Load, Manager.Silently
//	some: fresh, by acr, scope, group, tenant       Manager.Guard with rules, Manager.StepUp, Challenge
//	several providers, other accounts               Config.Providers, ChooseProvider, Manager.SwitchAccountHandler
//	who it is, and what is known of them            Session.Issuer, Subject, Claim, Texts
//	calling APIs                                    Session.HTTPClient, Token, TokenFor
//	scripts that call APIs                          Manager.Proxy, Protect, StatusHandler
//	values of the app's own                         Session.Set, Value
//	signing out, here and everywhere                Manager.LogoutHandler, RevokeUser
//	the provider signs out                          Manager.BackChannelLogoutHandler, FrontChannelLogoutHandler, CheckSessionHandler
//	several processes                               Config.Secrets, Store, Locker; session/redisstore, session/scsstore
//	audit, metrics, traces                          Config.OnEvent, Observe
//
// # What is in the cookies
//
// All cookies but one are encrypted and authenticated, HttpOnly, for the whole host
// and no other, and Secure where the redirect URL is https (that of a form_post
// sign-in always):
//
//   - the session: ID token, access token, refresh token, and the values of
//     [Session.Set], in as many cookies as its size needs; or, with
//     Config.SessionsInStore, its ID, whose it is and the key to the rest
//   - when it was last seen, which page loads renew
//   - one for each sign-in on its way, with state, nonce and code verifier
//   - the state of a sign-out at the provider, until the browser is back
//
// That one has no secret: it says that [Manager.Silently] has just asked.
//
// Lifetimes are inside the seal: what a browser does with a cookie's attributes
// changes nothing. The first of [Config].Secrets seals, all of them open.
//
// # What this process remembers
//
// Unless sessions are in a Store, the cookie is the session. A Manager remembers, within bounds, what a browser
// may not know yet: the result of a refresh until it has arrived, values that
// were set, sessions that were ended. So a response that is slow or lost takes
// nothing back: neither old tokens nor a session that was signed out. Processes
// that share the secrets share sessions, but not this memory.
//
// # What several processes share
//
// With [Config].Store they share it too, and see hashes and ciphertext in it:
//
//	kind     under a hash of                  what
//	ended    the session                      why, and since when
//	revoked  issuer and user, or their sid    which sessions are over, by time; kept for Config.Lifetime
//	refresh  session and refresh token        who has begun to use it, or, for an hour, what came of it
//	session  the session                      all of it, with Config.SessionsInStore
//	sid      issuer and sid                   that there is one, with Config.FrontChannelWithoutCookie
//
// What is kept of a refresh or of a session is sealed with AES-256-GCM under a key that only the cookie has. Which
// users there are and when they were active, a Store can guess; what they may do, it can
// not. It is asked once for each request with a session; what holds while it fails,
// Config.Store says. With [Config].Locker one process
// uses a refresh token, saves what came of it before anybody uses that, and all others
// find it: also those that come with a cookie of before.
//
// # What to do beside it
//
// The session cookie is SameSite=Lax, which browsers do not send with a POST
// from another site. Wrap what changes something in http.CrossOriginProtection
// all the same: same-site is not same-origin. What scripts call can be behind
// [Manager.Protect] instead.
package session
