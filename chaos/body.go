package chaos

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
)

// maxSize bounds one body. It is beyond what fits into 32 bits, which is where clients that resume go
// wrong, and small enough that Expect, which hashes every byte, still ends.
const maxSize = 1 << 34

// A content is the body of one good answer. Every byte is computed from the key and its place, so a
// body of any size costs no memory and can be read from any offset, which ranges need.
type content struct {
	key  uint64
	size int64
}

// keyOf mixes the seed and a name into the number that the bytes, the cut points and the entity tag
// of one body come from.
func keyOf(seed uint64, name string) uint64 {
	h := sha256.New()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	h.Write(b[:])
	io.WriteString(h, name)
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// mix is the finalizer of SplitMix64: neighboring inputs give unrelated outputs.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// alphabet makes bodies printable, so that what a client received can be looked at.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// fill writes the bytes that start at off. It knows no end: an endless body has none.
func (c content) fill(p []byte, off int64) {
	word, left := uint64(0), int64(0)
	for i := range p {
		if at := off + int64(i); left == 0 {
			word = mix(c.key^uint64(at/8)) >> (8 * uint(at%8))
			left = 8 - at%8
		}
		p[i] = alphabet[word&63]
		if (off+int64(i))%64 == 63 {
			p[i] = '\n'
		}
		word >>= 8
		left--
	}
}

// ReadAt implements io.ReaderAt.
func (c content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("chaos: negative offset")
	}
	if off >= c.size {
		return 0, io.EOF
	}
	n := len(p)
	if int64(n) > c.size-off {
		n = int(c.size - off)
	}
	c.fill(p[:n], off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// reader returns a reader over the whole body.
func (c content) reader() *io.SectionReader { return io.NewSectionReader(c, 0, c.size) }

// etag is a strong entity tag: equal exactly if the bytes are, as far as 64 bits can tell.
func (c content) etag() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], c.key)
	binary.BigEndian.PutUint64(b[8:], uint64(c.size))
	return `"` + hex.EncodeToString(b[:]) + `"`
}

// sum returns the SHA-256 of the whole body in hexadecimal.
func (c content) sum() string {
	h := sha256.New()
	io.Copy(h, c.reader()) // neither side can fail
	return hex.EncodeToString(h.Sum(nil))
}

// cutPoint returns how many of total bytes are sent before a fault strikes: between a quarter and
// three quarters, and always fewer than total, so that the fault can be seen.
func cutPoint(draw uint64, total int64) int64 {
	return total/4 + int64(draw%uint64(total/2+1))
}
