package s3

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// TestReleasedUploadReadsNoMore plays the transport that goes on reading after Put has returned.
func TestReleasedUploadReadsNoMore(t *testing.T) {
	_, w := newWatch(t.Context(), time.Minute)
	defer w.end()
	data := make([]byte, 1<<20)
	u := &upload{watch: w, rest: data}
	half, ended := make(chan struct{}), make(chan error)
	go func() {
		buf := make([]byte, 1000)
		for n := 0; ; n++ {
			if n == 500 {
				close(half)
			}
			if _, err := u.Read(buf); err != nil {
				ended <- err
				return
			}
		}
	}()
	<-half
	u.release()
	for i := range data { // the race detector sees anybody who still reads
		data[i] = 1
	}
	if err := <-ended; !errors.Is(err, errReleased) && err != io.EOF {
		t.Errorf("got %v", err)
	}
	if _, err := u.Read(make([]byte, 1)); !errors.Is(err, errReleased) {
		t.Errorf("read after release: got %v, want errReleased", err)
	}
}

func TestWatchCountsOnlyWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := newWatch(t.Context(), time.Minute)
		defer w.end()
		for range 10 {
			w.moved()
			time.Sleep(59 * time.Second) // virtual
		}
		w.pause()
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Fatal("ended while bytes moved, or while nobody waited")
		}
		w.moved()
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := stalled(ctx, ctx.Err()); !errors.Is(err, errStalled) {
			t.Errorf("got %v, want errStalled", err)
		}
	})
}
