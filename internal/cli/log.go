package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// logger tells people what they should know (Warn), and with
// DOCKER_CREDENTIAL_ACR_TRACE=1 every step, on standard error.
func (w World) logger() *slog.Logger {
	level := slog.LevelWarn
	for _, entry := range w.Environ {
		if value, ok := strings.CutPrefix(entry, "DOCKER_CREDENTIAL_ACR_TRACE="); ok && value != "" && value != "0" {
			level = slog.LevelDebug
		}
	}
	return slog.New(&lines{out: w.Stderr, level: level, now: w.Now, began: w.Now()})
}

// lines is a slog.Handler that writes one plain line a record; steps carry the
// milliseconds since the start.
type lines struct {
	out   io.Writer
	level slog.Level
	now   func() time.Time
	began time.Time
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(program + ": ")
	if r.Level < slog.LevelWarn {
		fmt.Fprintf(&line, "trace: %d ms: ", l.now().Sub(l.began).Milliseconds())
	}
	line.WriteString(oneLine(r.Message))
	r.Attrs(func(a slog.Attr) bool {
		if value := a.Value.Resolve().String(); value != "" {
			fmt.Fprintf(&line, " %s=%q", a.Key, value)
		}
		return true
	})
	_, err := fmt.Fprintln(l.out, line.String())
	return err
}

// WithAttrs and WithGroup complete the interface; nothing here uses them.
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *lines) WithGroup(string) slog.Handler { return l }
