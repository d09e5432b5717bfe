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

// withoutTaken puts a file without the failed results that were taken, of which there are so many, in the place of j's. A crash leaves
// either the old file or the new one.
func (j *Journal) withoutTaken(ctx context.Context, taken int) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	old := j.file.(*os.File) // it has results
	info, err := old.Stat()
	if err != nil {
		return j.wrong(err)
	}
	path, err := filepath.EvalSymlinks(j.name) // a link must go on leading to the file
	if err != nil {
		return j.wrong(err)
	}
	f, err := createBeside(path)
	if err != nil {
		return j.wrong(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = j.wrong(err)
		}
	}()
	keepOwner(f, info)
	if err := f.Chmod(info.Mode().Perm()); err != nil { // after that: a new owner may take permissions away
		return err
	}
	if err := lock(f); err != nil { // before anybody can find it under the old name
		return err
	}
	size, err := j.copyOthers(ctx, f, io.NewSectionReader(old, 0, j.size+int64(j.keep)), taken)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncNames(filepath.Dir(path)) // without it, a power cut may leave the old file, which is as good
	old.Close()                   // what this run wrote to it has been copied
	j.file, j.size, j.keep, j.torn, j.settled = f, size, 0, false, true
	j.unsaved, j.synced = false, time.Now()
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

// copyOthers copies the lines that are not among the failed results which were taken, and returns how many bytes they are. Lines that
// this run has written come after those.
func (j *Journal) copyOthers(ctx context.Context, to io.Writer, from io.Reader, taken int) (size int64, err error) {
	bw := bufio.NewWriterSize(to, 1<<20)
	n := 0
	line := func(line []byte) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if taken > 0 {
			id, url, kind, err := resultOf(line)
			if err == nil && kind != "" && j.known.drop(id, url, kind) {
				taken--
				return nil
			}
		}
		size += int64(len(line)) + 1
		bw.Write(line) // an error stays in bw until Flush
		return bw.WriteByte('\n')
	}
	rest, err := eachLine(from, longestResult, line)
	if err == nil && len(rest) > 0 {
		err = line(rest)
	}
	if err == nil && taken > 0 {
		err = errChanged // and with the old results there would be two for an item
	}
	if err == nil {
		err = bw.Flush()
	}
	return size, err
}
