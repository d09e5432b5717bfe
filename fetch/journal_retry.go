package fetch

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
)

// withoutFailed puts a file without the failed results in the place of j's. A crash leaves either the old file or the new one.
func (j *Journal) withoutFailed(ctx context.Context) (err error) {
	old := j.file.(*os.File) // it has results
	info, err := old.Stat()
	if err != nil {
		return j.wrong(err)
	}
	path, err := filepath.EvalSymlinks(j.name) // a link must go on leading to the file
	if err != nil {
		return j.wrong(err)
	}
	// Whoever holds the lock on the file also owns this name: one that is there is what a killed run left behind.
	temp := path + ".retry"
	os.Remove(temp)
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, info.Mode().Perm())
	if err != nil {
		return j.wrong(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temp)
			err = j.wrong(err)
		}
	}()
	if err := f.Chmod(info.Mode().Perm()); err != nil { // which umask may have narrowed
		return err
	}
	if err := lock(f); err != nil { // before anybody can find it under the old name
		return err
	}
	size, err := copyOK(ctx, f, io.NewSectionReader(old, 0, j.size+int64(j.keep)))
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	old.Close() // was only read
	j.file, j.size, j.keep, j.settled = f, size, 0, true
	return nil
}

// copyOK copies the lines that are no failed results, and returns how many bytes they are.
func copyOK(ctx context.Context, to io.Writer, from io.Reader) (size int64, err error) {
	bw := bufio.NewWriterSize(to, 1<<20)
	n := 0
	line := func(line []byte) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, _, kind, _ := resultOf(line); kind != "" {
			return nil
		}
		size += int64(len(line)) + 1
		bw.Write(line) // an error stays in bw until Flush
		return bw.WriteByte('\n')
	}
	rest, err := eachLine(from, longestResult, line)
	if err == nil && len(rest) > 0 {
		err = line(rest)
	}
	if err == nil {
		err = bw.Flush()
	}
	return size, err
}
