package httpguard

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// Explain finds the one sentence for an error of net/http. The sentence never quotes the
// error's text, which may quote what a server sent; at most it wraps the context's error.
func Explain(host string, err error) *fault.Error {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	code, reason := explain(err)
	e := &fault.Error{Code: code, Subject: host, Reason: cmp.Or(reason, code.Meaning())}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			e.Cause = ended
		}
	}
	return e
}

// explain returns the code of an error, and the reason if the code's own meaning isn't
// exact enough.
func explain(err error) (code fault.Code, reason string) {
	var (
		op      *net.OpError
		tooLong *http.MaxBytesError
		dns     *net.DNSError
		timeout net.Error
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		wrong   x509.HostnameError
		header  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return fault.Proxy, ""
	case isNoProxy(err):
		return fault.Proxy, ""
	case errors.As(err, &op) && strings.HasPrefix(op.Op, "socks"):
		return explainSOCKS(op)
	case errors.As(err, &tooLong):
		return fault.TooLong, fmt.Sprintf("returned more than %d bytes", tooLong.Limit)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.DNS, ""
	case errors.As(err, &unknown) && hasNoRoots():
		return fault.NoRoots, "can't be verified: " + fault.NoRoots.Meaning()
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &wrong):
		return fault.TLS, ""
	case errors.As(err, &header), errors.As(err, &alert):
		return fault.TLS, "failed the TLS handshake"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fault.Timeout, ""
	case errors.Is(err, context.Canceled):
		return fault.Timeout, "did not respond before the request was canceled"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fault.Broken, ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.Unreachable, "refused the connection"
	}
	return fault.Unreachable, ""
}

// isNoProxy reports whether the server that is configured as a proxy answers CONNECT with
// something else than HTTP, as one that expects TLS does. net/http has only a text for it,
// which is longer where a registry or Entra answers like that.
func isNoProxy(err error) bool {
	said := err.Error()
	return strings.Contains(said, "malformed HTTP") && !strings.Contains(said, "transport connection broken")
}

// explainSOCKS returns the code of an error of a SOCKS proxy, of which net/http has only
// texts.
func explainSOCKS(op *net.OpError) (code fault.Code, reason string) {
	switch text := op.Err.Error(); {
	case strings.Contains(text, "authentication"):
		return fault.ProxyPassword, "could not be reached: the proxy wants a user name and password, or does not accept them"
	case strings.Contains(text, "not allowed"):
		return fault.ProxyDenied, "could not be reached: the proxy does not allow it"
	case strings.Contains(text, "unknown error"):
		return fault.ProxyFailed, "could not be reached: the proxy can't connect to it"
	}
	return fault.Proxy, ""
}

// hasNoRoots reports whether the system has no root certificates, as in an empty container
// image. On Windows and macOS it always has some.
func hasNoRoots() bool {
	roots, err := x509.SystemCertPool()
	return err != nil || roots.Equal(x509.NewCertPool())
}

// RetryAfter returns how long a server asks to wait (RFC 9110 §10.2.3) when it is
// throttling or out of service: seconds, or a date, which is compared with the server's
// own clock. 0 means that it doesn't say.
func RetryAfter(resp *http.Response) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	value := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*3600)) * time.Second
	}
	until, err := http.ParseTime(value)
	now, errNow := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || errNow != nil || !until.After(now) {
		return 0
	}
	return until.Sub(now)
}
