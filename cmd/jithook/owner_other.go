//go:build !unix

package main

import (
	"io/fs"
	"os"
)

// sameOwner does nothing where owners are not numbers.
func sameOwner(*os.File, fs.FileInfo) error { return nil }
