package outgoing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The cache of a file that is read by ranges.
const (
	blockSize = 4 << 20
	maxBlocks = 6
)

// File is a remote file, read at random: by ranges where the server has them, else from a copy on disk.
// It ends with the context it was opened with, and is safe for use by many goroutines.
type File struct {
	ctx  context.Context
	c    *Client
	url  string
	etag string // strong, or ""
	size int64

	spool *os.File // the copy; nil: by ranges

	mu     sync.Mutex
	blocks []*block // most recently used last
}

type block struct {
	n    int64
	once sync.Once
	data []byte
	err  error
}

// Open opens the file at a URL. max bounds its size; dir is where a copy goes if one is needed.
func (c *Client) Open(ctx context.Context, url string, max int64, dir string) (*File, error) {
	f := &File{ctx: ctx, c: c, url: url}
	resp, err := c.get(ctx, url, 0, 0, "")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if etag := resp.Header.Get("ETag"); strings.HasPrefix(etag, `"`) {
		f.etag = etag
	}
	if total, ok := total(resp); ok && f.etag != "" {
		f.size = total
		return f, tooLarge(total, max)
	}
	if resp.StatusCode == http.StatusPartialContent { // by ranges, but nothing says that the file stays the same: take it all in one answer
		resp.Body.Close()
		if resp, err = c.get(ctx, url, -1, -1, ""); err != nil {
			return nil, err
		}
		defer resp.Body.Close()
	}
	return f, f.copy(resp, max, dir)
}

// total reads the whole length from an answer to a range.
func total(resp *http.Response) (int64, bool) {
	if resp.StatusCode != http.StatusPartialContent {
		return 0, false
	}
	_, text, ok := strings.Cut(resp.Header.Get("Content-Range"), "/")
	n, err := strconv.ParseInt(text, 10, 64)
	return n, ok && err == nil && n >= 0
}

func tooLarge(n, max int64) error {
	if n > max {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, max)
	}
	return nil
}

// copy takes the whole body to disk.
func (f *File) copy(resp *http.Response, max int64, dir string) (err error) {
	if err := tooLarge(resp.ContentLength, max); err != nil {
		return err
	}
	room, err := Room(dir)
	if err != nil {
		return err
	}
	if resp.ContentLength > room {
		return fmt.Errorf("%w: %d bytes, and half of what is free is %d", ErrNoRoom, resp.ContentLength, room)
	}
	if f.spool, err = os.CreateTemp(dir, "import-*"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := os.Remove(f.spool.Name()); err != nil { // it goes with the process
		return err
	}
	f.size, err = io.Copy(f.spool, io.LimitReader(&alive{r: resp.Body}, min(max, room)+1))
	if err != nil {
		return fmt.Errorf("read from %s: %w", resp.Request.URL.Host, err)
	}
	if resp.ContentLength >= 0 && f.size < resp.ContentLength && f.size <= max {
		return fmt.Errorf("read from %s: %w", resp.Request.URL.Host, io.ErrUnexpectedEOF)
	}
	if f.size > room {
		return fmt.Errorf("%w: more than half of what is free, %d bytes", ErrNoRoom, room)
	}
	return tooLarge(f.size, max)
}

// Room is how much a copy may take in a folder: half of what is free, since others live there, too.
func Room(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize) / 2, nil
}

// alive ends a body in which nothing moves for too long.
type alive struct{ r io.ReadCloser }

func (a *alive) Read(p []byte) (int, error) {
	t := time.AfterFunc(idleTimeout, func() { a.r.Close() })
	defer t.Stop()
	return a.r.Read(p)
}

// Size is the length in bytes.
func (f *File) Size() int64 { return f.size }

// Close removes the copy.
func (f *File) Close() error {
	if f.spool == nil {
		return nil
	}
	return f.spool.Close()
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d: negative", off)
	}
	if f.spool != nil {
		return f.spool.ReadAt(p, off)
	}
	done := 0
	for done < len(p) {
		at := off + int64(done)
		if at >= f.size {
			return done, io.EOF
		}
		data, err := f.block(at / blockSize)
		if err != nil {
			return done, err
		}
		done += copy(p[done:], data[at%blockSize:])
	}
	return done, nil
}

// block returns one block; it is fetched once, whoever asks, and again after a failure.
func (f *File) block(n int64) ([]byte, error) {
	b := f.cached(n)
	b.once.Do(func() { b.data, b.err = f.fetch(n) })
	if b.err != nil {
		f.forget(b)
	}
	return b.data, b.err
}

func (f *File) cached(n int64) *block {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, b := range f.blocks {
		if b.n == n {
			f.blocks = append(append(f.blocks[:i:i], f.blocks[i+1:]...), b)
			return b
		}
	}
	b := &block{n: n}
	f.blocks = append(f.blocks, b)
	if len(f.blocks) > maxBlocks {
		f.blocks = f.blocks[1:]
	}
	return b
}

func (f *File) forget(b *block) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, x := range f.blocks {
		if x == b {
			f.blocks = append(f.blocks[:i:i], f.blocks[i+1:]...)
			return
		}
	}
}

func (f *File) fetch(n int64) ([]byte, error) {
	from := n * blockSize
	to := min(from+blockSize, f.size) - 1
	resp, err := f.c.get(f.ctx, f.url, from, to, f.etag)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent || resp.Header.Get("ETag") != f.etag || resp.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", from, to, f.size) {
		return nil, fmt.Errorf("read from %s: %w: other bytes were sent than were asked for", resp.Request.URL.Host, ErrChanged)
	}
	data := make([]byte, to-from+1)
	if _, err := io.ReadFull(&alive{r: resp.Body}, data); err != nil {
		return nil, fmt.Errorf("read from %s: %w", resp.Request.URL.Host, refusal(err))
	}
	return data, nil
}
