//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// sameOwner gives a new file the owner and group of the one that it replaces:
// written by root, the configuration of a service would else be closed to it.
func sameOwner(file *os.File, of fs.FileInfo) error {
	now, err := file.Stat()
	if err != nil {
		return err
	}
	has, ok := now.Sys().(*syscall.Stat_t)
	want, ok2 := of.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || has.Uid == want.Uid && has.Gid == want.Gid {
		return nil
	}
	if err := file.Chown(int(want.Uid), int(want.Gid)); err != nil {
		return fmt.Errorf("it belongs to user %d and group %d, and what replaces it cannot: run this as them", want.Uid, want.Gid)
	}
	return nil
}
