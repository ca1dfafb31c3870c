package s3servers

import (
	"net/http"
	"strings"
	"testing"

	"loggia/testing/gotools"
)

func TestServers(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			s := Start(t, kind)
			if a, b := s.NewBucket(t), s.NewBucket(t); a == b {
				t.Errorf("two buckets named %s", a)
			}
			if err := s.MakeBucket(t.Context(), "test-1"); err != nil {
				t.Errorf("the same bucket again: %v", err)
			}
			if resp, err := http.Get(s.Endpoint); err == nil {
				_ = resp.Body.Close()
				t.Error("a client without the CA was served")
			}
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			select {
			case <-s.Exited():
			default:
				t.Error("still running after Stop")
			}
		})
	}
}

func TestStartReportsWhyItFails(t *testing.T) {
	s := Start(t, VersityGW)
	_, err := StartProcess(t.Context(), VersityGW, t.TempDir(), strings.TrimPrefix(s.Endpoint, "https://"))
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("got %v, want that the address is in use", err)
	}
}

func TestUnknownKind(t *testing.T) {
	t.Setenv(gotools.DirEnv, t.TempDir())
	if _, err := StartProcess(t.Context(), "gofakes3", t.TempDir(), "127.0.0.1:0"); err == nil {
		t.Fatal("started")
	}
}
