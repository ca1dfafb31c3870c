package logbridge

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// recorder keeps what was logged as "LEVEL message key=value".
func recorder(level slog.Level) (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), &b
}

func TestWriterTakesLevelsFromLines(t *testing.T) {
	for in, want := range map[string]string{
		"2026/01/02 03:04:05 [ERR] memberlist: x\n": "level=ERROR msg=\"memberlist: x\"\n",
		"[ERROR] x":                     "level=ERROR msg=x\n",
		"2026/01/02 [WARN] x: y\n":      "level=WARN msg=\"x: y\"\n",
		"[INFO] x":                      "level=DEBUG msg=x\n",
		"[DEBUG] x":                     "level=DEBUG-4 msg=x\n",
		"[TRACE] x":                     "level=DEBUG-8 msg=x\n",
		"no mark":                       "level=DEBUG msg=\"no mark\"\n",
		"\n":                            "",
		"[WARN] one\n[WARN] two\n":      "level=WARN msg=one\nlevel=WARN msg=two\n",
		"[WARN] says [ERR] in the text": "level=WARN msg=\"says [ERR] in the text\"\n",
	} {
		l, out := recorder(slog.LevelDebug - 8)
		if n, err := io.WriteString(Writer(l), in); n != len(in) || err != nil {
			t.Errorf("%q: wrote %d, %v", in, n, err)
		}
		if got := out.String(); got != want {
			t.Errorf("%q: logged %q, want %q", in, got, want)
		}
	}
}

func TestHCKeepsLevelsAndPairs(t *testing.T) {
	l, out := recorder(slog.LevelDebug - 8)
	h := HC(l).With("peer", "b").Named("raft").Named("net")
	h.Trace("t")
	h.Debug("d")
	h.Info("i", "servers", hclog.Fmt("%v of %v", 1, 2))
	h.Warn("w", "odd")
	h.Error("e", 7, "seven")
	h.Log(hclog.Off, "never")
	want := "level=DEBUG-8 msg=t peer=b\nlevel=DEBUG-4 msg=d peer=b\nlevel=DEBUG msg=i peer=b servers=\"1 of 2\"\n" +
		"level=WARN msg=w peer=b\nlevel=ERROR msg=e peer=b 7=seven\n"
	if got := out.String(); got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
	if h.Name() != "raft.net" || len(h.ImpliedArgs()) != 2 {
		t.Errorf("name %q, implied %v", h.Name(), h.ImpliedArgs())
	}
	out.Reset()
	h.StandardLogger(nil).Print("[WARN] plain")
	if got := out.String(); !strings.Contains(got, "level=WARN msg=plain") {
		t.Errorf("the standard logger logged %q", got)
	}
}

func TestHCSaysWhatIsLogged(t *testing.T) {
	for level, want := range map[slog.Level]hclog.Level{
		slog.LevelDebug - 8: hclog.Trace, slog.LevelDebug - 4: hclog.Debug, slog.LevelDebug: hclog.Info,
		slog.LevelInfo: hclog.Warn, slog.LevelWarn: hclog.Warn, slog.LevelError: hclog.Error,
	} {
		l, out := recorder(level)
		h := HC(l)
		if got := h.GetLevel(); got != want {
			t.Errorf("at %v: GetLevel = %v, want %v", level, got, want)
		}
		if h.IsInfo() != l.Enabled(context.Background(), slog.LevelDebug) || !h.IsError() {
			t.Errorf("at %v: IsInfo = %v, IsError = %v", level, h.IsInfo(), h.IsError())
		}
		if h.Trace("x"); (out.Len() > 0) != h.IsTrace() {
			t.Errorf("at %v: logged %q", level, out)
		}
	}
}
