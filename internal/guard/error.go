package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An Error says why no usable answer came from a host.
type Error struct {
	Host string
	// Why continues a sentence that begins with the host.
	Why string
	// Hint is one of the codes below.
	Hint string
}

func (e *Error) Error() string { return e.Host + " " + e.Why }

// Code is what a hint is looked up by.
func (e *Error) Code() string { return e.Hint }

// Codes of errors.
const (
	CodeStranger    = "http-stranger"    // a request for a host that the client isn't for
	CodeRedirect    = "http-redirect"    // the answer points elsewhere
	CodeNotJSON     = "http-not-json"    // some gateway's page, most likely
	CodeTooLong     = "http-too-long"    // more than any honest answer weighs
	CodeDNS         = "http-dns"         // no such host
	CodeProxy       = "http-proxy"       // the proxy doesn't answer
	CodeTLS         = "http-tls"         // a certificate that isn't trusted
	CodeTimeout     = "http-timeout"     // no answer in time
	CodeBroken      = "http-broken"      // the connection ended early
	CodeUnreachable = "http-unreachable" // no connection at all, or no proxy
)

// Explain finds the one sentence for an error of net/http. The sentence never
// holds the error's own text, which may quote what a server sent.
func Explain(host string, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	why, code := "could not be reached", CodeUnreachable
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
		why, code = "could not be reached: the proxy does not answer", CodeProxy
	case errors.As(err, &tooLong):
		why, code = "answered with more than "+strconv.FormatInt(tooLong.Limit, 10)+" bytes", CodeTooLong
	case errors.As(err, &dns) && dns.IsNotFound:
		why, code = "was not found by DNS", CodeDNS
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &wrong):
		why, code = "showed a certificate that is not trusted", CodeTLS
	case errors.As(err, &header), errors.As(err, &alert):
		why, code = "does not speak TLS as it should", CodeTLS
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		why, code = "did not answer in time", CodeTimeout
	case errors.Is(err, context.Canceled):
		why, code = "was not waited for any longer", CodeTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		why, code = "broke the connection off", CodeBroken
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "refused the connection"
	}
	return &Error{Host: host, Why: why, Hint: code}
}

// RetryAfter reads how long a server asks to wait (RFC 9110 §10.2.3) when it is
// throttling or out of service: seconds, or a date, which is compared with the
// server's own clock. Zero means that it doesn't say.
func RetryAfter(resp *http.Response) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	h := resp.Header
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*3600)) * time.Second
	}
	until, err := http.ParseTime(value)
	now, errNow := http.ParseTime(h.Get("Date"))
	if err != nil || errNow != nil || !until.After(now) {
		return 0
	}
	return until.Sub(now)
}
