package diskformat

// Tables are kept as tableCache pages of at most tablePage bytes, whatever their length.
const (
	tablePage  = 64 << 10
	tableCache = 64
)

// pages reads tables of an image a page at a time, for many goroutines.
type pages struct {
	src   Source
	size  int64 // of a page: a power of two; no entry crosses its border
	cache *cache[int64, []byte]
}

// newPages is for tables whose entries are aligned to their length, in pages of size bytes.
func newPages(src Source, size int64) *pages {
	return &pages{src: src, size: size, cache: newCache[int64, []byte](tableCache)}
}

// read reads a page; the last one of the file may be short.
func (p *pages) read(base int64) ([]byte, error) {
	left := p.src.Size() - base
	if base < 0 || left <= 0 {
		return nil, refuse(ErrTruncated, "table at %d: file has %d bytes", base, p.src.Size())
	}
	page := make([]byte, min(p.size, left))
	return page, readFull(p.src, page, base)
}

// pageView holds on to the page that one goroutine used last.
type pageView struct {
	base int64 // file offset
	page []byte
}

// at returns the n bytes of an entry at a file offset.
func (v *pageView) at(p *pages, off, n int64) ([]byte, error) {
	base := off &^ (p.size - 1)
	if v.page == nil || v.base != base {
		page, err := p.cache.get(base, func() ([]byte, error) { return p.read(base) })
		if err != nil {
			return nil, err
		}
		v.base, v.page = base, page
	}
	if off-base+n > int64(len(v.page)) {
		return nil, refuse(ErrTruncated, "entry at %d: file has %d bytes", off, p.src.Size())
	}
	return v.page[off-base:][:n], nil
}
