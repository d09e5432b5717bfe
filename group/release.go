package group

import "reflect"

// release closes v, a result that nobody is left to take, if it has a method Close() error or Close(). An error of Close
// is ignored. A nil pointer is no result, and most types' Close would panic.
func release(v any) {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
		return
	}
	switch v := v.(type) {
	case interface{ Close() error }:
		_ = v.Close()
	case interface{ Close() }:
		v.Close()
	}
}
