//go:build !unix

package main

import "os"

// askedForStatus returns nil: there is no signal to ask by.
func askedForStatus() (<-chan os.Signal, func()) { return nil, func() {} }
