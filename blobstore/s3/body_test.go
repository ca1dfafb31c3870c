package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
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

// TestReleaseWaitsForAWrite holds that memory which is being written is not given back before.
func TestReleaseWaitsForAWrite(t *testing.T) {
	_, w := newWatch(t.Context(), time.Minute)
	defer w.end()
	data := make([]byte, 1000*passed) // more than is written before release comes to it
	u := &upload{watch: w, rest: data}
	begun, ended := make(chan struct{}), make(chan error)
	var once sync.Once
	go func() {
		_, err := u.WriteTo(writer(func(b []byte) (int, error) {
			once.Do(func() { close(begun) })
			for range 100 {
				runtime.Gosched()
				_ = bytes.Count(b, []byte{1})
			}
			return len(b), nil
		}))
		ended <- err
	}()
	<-begun
	u.release()
	for i := range data { // the race detector sees anybody who still reads
		data[i] = 1
	}
	if err := <-ended; !errors.Is(err, errReleased) {
		t.Errorf("got %v, want errReleased", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// TestUploadsAreBare holds that the transport has the body itself, in spite of what minio-go puts around it.
func TestUploadsAreBare(t *testing.T) {
	_, w := newWatch(t.Context(), time.Minute)
	defer w.end()
	for _, tc := range []struct {
		method    string
		has, said int64
		bare      bool
	}{{http.MethodPut, 3, 3, true}, {http.MethodPut, 3, 200, false}, {http.MethodPut, 0, 0, false}, {http.MethodPost, 3, 3, false}, {http.MethodGet, 3, 0, false}} {
		u := &upload{watch: w, rest: make([]byte, tc.has)}
		ctx := context.WithValue(t.Context(), uploadKey{}, u)
		req, err := http.NewRequestWithContext(ctx, tc.method, "https://s3.example/", struct{ io.Reader }{u})
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = tc.said
		if got := bare(req).Body == io.ReadCloser(u); got != tc.bare {
			t.Errorf("%s of %d bytes: bare %t, want %t", tc.method, tc.said, got, tc.bare)
		}
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
