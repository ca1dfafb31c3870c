// Package logbridge turns what libraries log into log/slog.
package logbridge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// Writer takes lines such as "2026/01/02 03:04:05 [WARN] memberlist: text" and logs them. What a library calls
// info is debug here: its news is not an operator's.
func Writer(l *slog.Logger) io.Writer { return lines{l} }

type lines struct{ l *slog.Logger }

var marks = []struct {
	mark  string
	level slog.Level
}{
	{"[ERR]", slog.LevelError}, {"[ERROR]", slog.LevelError}, {"[WARN]", slog.LevelWarn},
	{"[INFO]", slog.LevelDebug}, {"[DEBUG]", slog.LevelDebug - 4}, {"[TRACE]", slog.LevelDebug - 8},
}

// Write implements io.Writer.
func (w lines) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		text, level := split(strings.TrimSpace(string(line)))
		if text != "" {
			w.l.Log(context.Background(), level, text)
		}
	}
	return len(b), nil
}

// split takes the first mark of a line, and what stands before it, off.
func split(line string) (text string, level slog.Level) {
	text, level = line, slog.LevelDebug
	first := len(line)
	for _, m := range marks {
		if i := strings.Index(line, m.mark); i >= 0 && i < first {
			first, text, level = i, strings.TrimSpace(line[i+len(m.mark):]), m.level
		}
	}
	return text, level
}

// HC returns an hclog.Logger that logs to l, one level down for info and below.
func HC(l *slog.Logger) hclog.Logger { return &hc{l: l} }

type hc struct {
	l    *slog.Logger
	name string
	with []any
}

var levels = map[hclog.Level]slog.Level{
	hclog.Trace: slog.LevelDebug - 8, hclog.Debug: slog.LevelDebug - 4, hclog.Info: slog.LevelDebug,
	hclog.Warn: slog.LevelWarn, hclog.Error: slog.LevelError,
}

// Log implements hclog.Logger, as do all that follow.
func (h *hc) Log(level hclog.Level, msg string, args ...any) {
	to, ok := levels[level]
	if !ok || !h.l.Enabled(context.Background(), to) {
		return
	}
	h.l.Log(context.Background(), to, msg, clean(args)...)
}

// clean makes slog attributes of hclog's pairs.
func clean(args []any) []any {
	out := make([]any, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		key, ok := args[i].(string)
		if !ok {
			key = fmt.Sprint(args[i])
		}
		v := args[i+1]
		if f, ok := v.(hclog.Format); ok && len(f) > 0 {
			v = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
		out = append(out, slog.Any(key, v))
	}
	return out
}

func (h *hc) Trace(msg string, args ...any) { h.Log(hclog.Trace, msg, args...) }
func (h *hc) Debug(msg string, args ...any) { h.Log(hclog.Debug, msg, args...) }
func (h *hc) Info(msg string, args ...any)  { h.Log(hclog.Info, msg, args...) }
func (h *hc) Warn(msg string, args ...any)  { h.Log(hclog.Warn, msg, args...) }
func (h *hc) Error(msg string, args ...any) { h.Log(hclog.Error, msg, args...) }

func (h *hc) enabled(l hclog.Level) bool { return h.l.Enabled(context.Background(), levels[l]) }
func (h *hc) IsTrace() bool              { return h.enabled(hclog.Trace) }
func (h *hc) IsDebug() bool              { return h.enabled(hclog.Debug) }
func (h *hc) IsInfo() bool               { return h.enabled(hclog.Info) }
func (h *hc) IsWarn() bool               { return h.enabled(hclog.Warn) }
func (h *hc) IsError() bool              { return h.enabled(hclog.Error) }

func (h *hc) ImpliedArgs() []any { return h.with }
func (h *hc) With(args ...any) hclog.Logger {
	return &hc{l: h.l.With(clean(args)...), name: h.name, with: append(append([]any(nil), h.with...), args...)}
}
func (h *hc) Name() string { return h.name }
func (h *hc) Named(name string) hclog.Logger {
	if h.name != "" {
		name = h.name + "." + name
	}
	return h.ResetNamed(name)
}
func (h *hc) ResetNamed(name string) hclog.Logger { return &hc{l: h.l, name: name, with: h.with} }
func (h *hc) SetLevel(hclog.Level)                {}
func (h *hc) GetLevel() hclog.Level {
	for _, l := range []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn} {
		if h.enabled(l) {
			return l
		}
	}
	return hclog.Error
}

func (h *hc) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return log.New(h.StandardWriter(nil), "", 0)
}
func (h *hc) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lines{h.l} }
