package client_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/postern-go/postern/client"
)

// loadKey reads a PKCS #8 private key from a PEM file, such as openssl genpkey writes.
func loadKey(name string) (crypto.Signer, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block in " + name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key in " + name + " does not sign")
	}
	return signer, nil
}

// A client with a key instead of a secret. The provider is given what JWKS returns.
func ExamplePrivateKeyJWT() {
	key, err := loadKey("client.key")
	if err != nil {
		log.Fatal(err)
	}
	auth := client.PrivateKeyJWT{Key: key, KeyID: "2026-01"}
	rp, err := client.New(client.Config{
		Issuer:      "https://op.example.com",
		ClientID:    "web",
		RedirectURL: "https://app.example.com/auth/callback",
		Auth:        auth,
	})
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /jwks.json", func(w http.ResponseWriter, r *http.Request) {
		keys, err := auth.JWKS()
		if err != nil {
			http.Error(w, "no keys", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(keys)
	})
	fmt.Println(rp)
}

// Sign in with Apple has no secret to copy: the client makes one from its key.
func ExampleAppleSecret() {
	key, err := loadKey("AuthKey_ABC123DEFG.p8")
	if err != nil {
		log.Fatal(err)
	}
	rp, err := client.New(client.Config{
		Issuer:      "https://appleid.apple.com",
		ClientID:    "com.example.app.web",
		RedirectURL: "https://app.example.com/auth/callback",
		Auth:        client.AppleSecret{TeamID: "DEF123GHIJ", KeyID: "ABC123DEFG", Key: key},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rp)
}

// A job calls an API for a user, with a token that is of no use to whoever copies it.
func ExampleClient_Transport() {
	var (
		tokens *client.Tokens                              // from a store
		save   func(context.Context, *client.Tokens) error // to it
	)
	key, err := loadKey("dpop.key")
	if err != nil {
		log.Fatal(err)
	}
	dpop, err := client.NewDPoPKey(key)
	if err != nil {
		log.Fatal(err)
	}
	rp, err := client.New(client.Config{
		Issuer:       "https://op.example.com",
		ClientID:     "web",
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		DPoP:         dpop,
	})
	if err != nil {
		log.Fatal(err)
	}
	api := &http.Client{
		Transport: rp.Transport(nil, rp.TokenSource(tokens, save)),
		Timeout:   10 * time.Second,
	}
	resp, err := api.Get("https://api.example.com/things")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
}

// The provider fetches a signed request at an address that nobody else can guess (RFC 9101
// 5.2): the program gives it out there, until the sign-in is over.
func ExampleLogin_RequestObject() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	rp, err := client.New(client.Config{
		Issuer: "https://op.example.com", ClientID: "web", ClientSecret: "a secret from the environment",
		RedirectURL:   "https://app.example.com/auth/callback",
		RequestObject: &client.RequestObject{Key: key},
	})
	if err != nil {
		log.Fatal(err)
	}
	var objects sync.Map // by the last part of their address

	http.HandleFunc("GET /request-objects/{id}", func(w http.ResponseWriter, r *http.Request) {
		object, ok := objects.Load(r.PathValue("id"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", client.RequestObjectType)
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, object.(string))
	})
	http.HandleFunc("GET /sign-in", func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		login, err := rp.Authorize(r.Context(), &client.AuthorizeOptions{RequestURI: "https://app.example.com/request-objects/" + id})
		if err != nil {
			http.Error(w, "sign-in is not possible just now", http.StatusServiceUnavailable)
			return
		}
		objects.Store(id, login.RequestObject())
		time.AfterFunc(time.Minute, func() { objects.Delete(id) })
		http.Redirect(w, r, login.URL(), http.StatusSeeOther)
	})
}
