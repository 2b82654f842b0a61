// Package scstest runs the contract of session.Store on real stores of scs, through scsstore.
// It has nothing but tests.
package scstest
