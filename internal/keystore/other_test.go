//go:build !linux

package keystore

import "errors"

// performExternal has requests that only tests on Linux make.
func performExternal(*Store, request) ([]byte, error) { return nil, errors.ErrUnsupported }
