//go:build !(darwin || windows || linux || freebsd || netbsd || openbsd)

package keystore

func openOS(Settings) (b *bounded, ok bool) {
	return newBounded(unsupported{}, OS, "the OS keyring", 0), false
}
