//go:build !(darwin || windows || linux || freebsd || netbsd || openbsd || dragonfly)

package keyring

func openOS(func(string) string) (home, bool) { return absent{"os", "the OS keyring"}, false }
