package diskformat

import "fmt"

// Blob is the bytes of r as they are, of any length and whatever they look like: a package or a configuration, no disk.
// Close of the Disk leaves r open.
func Blob(r Source) (Disk, error) {
	if r.Size() <= 0 {
		return nil, ErrEmpty
	}
	return &raw{src: r, size: r.Size(), format: Raw}, nil
}

// OpenBlob is Blob for a file.
func OpenBlob(path string) (Disk, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d, err := Blob(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &fileDisk{Disk: d, file: f}, nil
}
