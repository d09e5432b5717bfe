package fetch

import "encoding/binary"

// How a spill keeps an item: each string after its length, the header last. JSON would not do, as it has no way to write
// bytes that are not UTF-8.

func appendItem(b []byte, it Item) []byte {
	for _, s := range []string{it.ID, it.URL, it.Method, it.Body, it.SHA256} {
		b = appendString(b, s)
	}
	b = appendUint32(b, uint32(len(it.Mirrors)))
	for _, m := range it.Mirrors {
		b = appendString(b, m)
	}
	b = appendUint32(b, uint32(len(it.Header)))
	for k, v := range it.Header {
		b = appendString(appendString(b, k), v)
	}
	return b
}

// cutItem returns the item at the beginning of b, and what follows it: nil if there is no whole item.
func cutItem(b []byte) (it Item, rest []byte) {
	for _, s := range []*string{&it.ID, &it.URL, &it.Method, &it.Body, &it.SHA256} {
		*s, b = cutString(b)
	}
	n, b := cutUint32(b)
	for range n {
		var m string
		if m, b = cutString(b); b == nil {
			return it, nil
		}
		it.Mirrors = append(it.Mirrors, m)
	}
	n, b = cutUint32(b)
	if b == nil || n == 0 {
		return it, b
	}
	it.Header = make(map[string]string)
	for range n {
		var k, v string
		k, b = cutString(b)
		if v, b = cutString(b); b == nil {
			return it, nil
		}
		it.Header[k] = v
	}
	return it, b
}

func appendUint32(b []byte, n uint32) []byte { return binary.LittleEndian.AppendUint32(b, n) }

func appendString(b []byte, s string) []byte {
	return append(appendUint32(b, uint32(len(s))), s...)
}

func cutUint32(b []byte) (n uint32, rest []byte) {
	if len(b) < 4 {
		return 0, nil
	}
	return binary.LittleEndian.Uint32(b), b[4:]
}

func cutString(b []byte) (s string, rest []byte) {
	n, b := cutUint32(b)
	if uint64(len(b)) < uint64(n) || b == nil {
		return "", nil
	}
	return string(b[:n]), b[n:]
}
