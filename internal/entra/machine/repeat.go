package machine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
)

const (
	// firstPause and lastPause are before the first repetition and the longest;
	// each pause is twice the one before. Microsoft Learn ("Retry guidance" for
	// managed identities) begins with 2 s and says that an update of IMDS takes up
	// to 70 s; who waits for an image is better told sooner.
	firstPause = 400 * time.Millisecond
	lastPause  = 4 * time.Second
	// inlineRetryAfter is the longest Retry-After worth waiting for.
	inlineRetryAfter = 5 * time.Second
	// reserve is what must be left of the time for one more attempt to make sense.
	reserve = time.Second

	// probeLimit is how long IMDS gets to show that it is there. It is on the
	// same host as the machine and answers within milliseconds; off Azure nothing
	// does, and somebody waits. (azidentity takes the same second.)
	probeLimit = time.Second
	// absentFor is how long IMDS is taken for absent once it didn't answer: it
	// doesn't come to a machine that has none, so that only a machine whose
	// network was still starting waits in vain.
	absentFor = 5 * time.Minute
)

// repeat sends a request until an answer comes that a moment won't mend, or until
// too little time is left.
func (m *messenger) repeat(req *http.Request, body []byte) (*http.Response, error) {
	pause := firstPause
	for {
		resp, err := m.once(req, body)
		if err == nil {
			return resp, nil
		}
		wait, worth := worthRepeating(err)
		if wait == 0 {
			wait, pause = pause, min(2*pause, lastPause)
		}
		deadline, _ := req.Context().Deadline() // Token sets one
		if !worth || time.Until(deadline) < wait+reserve || !sleep(req.Context(), wait) {
			return nil, err
		}
	}
}

// worthRepeating says so of trouble and throttling without a long Retry-After,
// which it returns, and of a connection that broke.
func worthRepeating(err error) (wait time.Duration, worth bool) {
	var refused *Error
	if errors.As(err, &refused) {
		transient := refused.Hint == CodeTrouble || refused.Hint == CodeThrottled
		return refused.Wait, transient && refused.Wait <= inlineRetryAfter
	}
	var failed *guard.Error
	return 0, errors.As(err, &failed) && failed.Hint == guard.CodeBroken
}

// sleep says whether it came to its end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// probe finds out whether there is an IMDS at all. Without the header Metadata
// IMDS refuses to do anything, so any answer will do, but for that of Docker
// Desktop's proxy, which answers for every address: 403, and in its text that the
// network is unreachable. (azidentity, probeIMDS.)
func (m *messenger) probe(ctx context.Context) error {
	absent := &Error{Endpoint: m.id.Endpoint, Why: "is not there: nothing answers at " + m.address.Host, Hint: CodeNoIMDS, Wait: absentFor}
	short, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(short, http.MethodGet, m.address.String(), nil)
	if err != nil {
		return absent
	}
	m.log.Debug("probe", "host", m.address.Host)
	resp, err := m.http.Do(req)
	if err != nil && ctx.Err() != nil {
		return guard.Explain(m.address.Host, ctx.Err())
	}
	if err != nil {
		return absent
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusForbidden {
		if text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); bytes.Contains(text, []byte("unreachable")) {
			return absent
		}
	}
	return nil
}
