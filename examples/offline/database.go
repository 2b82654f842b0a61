package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/postern-go/postern/client"
)

// A database keeps the tokens of one user in one file, which stands for a row. Tokens are
// worth what a password is, so that a copy of the file (a backup, a dump) is worth
// nothing without the key.
type database struct {
	file string
	aead cipher.AEAD
}

func open(file, key string) (*database, error) {
	raw, err := hex.DecodeString(key)
	if err != nil || len(raw) != 32 {
		return nil, errors.New("KEY must be 64 hexadecimal digits")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &database{file, aead}, err
}

// load returns the tokens; fs.ErrNotExist, if there are none.
func (db *database) load() (*client.Tokens, error) {
	sealed, err := os.ReadFile(db.file)
	if err != nil {
		return nil, err
	}
	data, err := db.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("%s was sealed with another KEY, or changed", db.file)
	}
	tokens := new(client.Tokens)
	return tokens, tokens.UnmarshalBinary(data)
}

// save replaces the tokens, all or nothing: with half a file the grant would be lost.
func (db *database) save(_ context.Context, tokens *client.Tokens) (err error) {
	data, err := tokens.MarshalBinary()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(db.file), ".tokens-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // finds nothing once it has been renamed
	_, err = f.Write(db.aead.Seal(nil, nil, data, nil))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), db.file)
}

// forget removes the tokens of a grant that is over.
func (db *database) forget() error {
	if err := os.Remove(db.file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
