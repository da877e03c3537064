//go:build !unix

package main

import "io/fs"

// checkOwner accepts every file: file modes have no meaning on this system, and the
// folder belongs to the user.
func checkOwner(fs.FileInfo) error { return nil }
