//go:build !unix

package main

import "io/fs"

// ownedAlone trusts the folder of the user, where a file's mode says nothing.
func ownedAlone(fs.FileInfo) error { return nil }
