package fetch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

var errChanged = errors.New("it has changed since it was opened")

// withoutTaken puts a file without the failed results that were taken, of which there are so many, in the place of j's, to which a run may write
// meanwhile. A crash leaves either the old file or the new one.
func (j *Journal) withoutTaken(ctx context.Context, taken int) error {
	h, err := j.heir()
	if err != nil {
		return j.wrong(err)
	}
	if err = h.copyOthers(ctx, j.known, taken); err == nil {
		err = j.succeed(h)
	}
	if err != nil {
		h.file.Close()
		os.Remove(h.file.Name())
		return j.wrong(err)
	}
	return nil
}

// An heir is a file that is to take the place of a journal's.
type heir struct {
	path   string // of the old file
	old    *os.File
	copied int64 // of the old file's bytes, that many were looked at
	file   *os.File
	size   int64
}

// heir makes an heir that has nothing yet. It can be read and written by those who could do so with the old file.
func (j *Journal) heir() (*heir, error) {
	path, err := filepath.EvalSymlinks(j.name) // a link must go on leading to the file
	if err != nil {
		return nil, err
	}
	h := &heir{path: path, old: j.file.(*os.File)} // it has results
	info, err := h.old.Stat()
	if err != nil {
		return nil, err
	}
	if h.file, err = createBeside(path); err != nil {
		return nil, err
	}
	keepOwner(h.file, info)
	err = h.file.Chmod(info.Mode().Perm()) // after that: a new owner may take permissions away
	if err == nil {
		err = lock(h.file) // before anybody can find it under the old name
	}
	if err != nil {
		h.file.Close()
		os.Remove(h.file.Name())
		return nil, err
	}
	return h, nil
}

// succeed puts h in its place. What was written to the old file since it was copied is copied now, when nothing is written.
func (j *Journal) succeed(h *heir) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	n, err := io.Copy(h.file, io.NewSectionReader(h.old, h.copied, j.size-h.copied))
	if err == nil {
		err = h.file.Sync()
	}
	if err == nil {
		err = os.Rename(h.file.Name(), h.path)
	}
	if err != nil {
		return err
	}
	syncNames(filepath.Dir(h.path)) // where that fails, a power cut may leave the old file: its list goes on from there
	h.old.Close()                   // what this run wrote to it has been copied
	j.file, j.size, j.unsaved, j.synced = h.file, h.size+n, false, time.Now()
	return nil
}

// createBeside makes a file in the directory of path, under a name that nobody else uses. Only its owner may read it: it is to have
// the rights of the one at path. A process that is killed leaves it there.
func createBeside(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	base = base[:min(len(base), 200)] // as names may have 255 bytes
	for {
		name := filepath.Join(dir, fmt.Sprintf("%s.retry-%08x", base, rand.Uint32()))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("making the file to take its place: %w", err) // that one may be writable itself
	}
}

// copyOthers copies the lines of the old file that are not among the failed results which were taken. It waits for the disk, so that little is left to
// do for succeed, to which it leaves a line that is being written just now.
func (h *heir) copyOthers(ctx context.Context, known *index, taken int) error {
	info, err := h.old.Stat()
	if err != nil {
		return err
	}
	bw := bufio.NewWriterSize(h.file, 1<<20)
	n := 0
	_, err = eachLine(io.NewSectionReader(h.old, 0, info.Size()), longestResult, func(line []byte) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h.copied += int64(len(line)) + 1
		if taken > 0 { // they stand before all that this run has written
			id, url, kind, err := resultOf(line)
			if err == nil && kind != "" && known.drop(id, url, kind) {
				taken--
				return nil
			}
		}
		h.size += int64(len(line)) + 1
		bw.Write(line) // an error stays in bw until Flush
		return bw.WriteByte('\n')
	})
	if err == nil && taken > 0 {
		err = errChanged // and with the old results there would be two for an item
	}
	if err == nil {
		err = bw.Flush()
	}
	if err == nil {
		err = h.file.Sync()
	}
	return err
}
