// Package discard lets go of results that nobody is left to take.
package discard

import "reflect"

// Close closes v, a result, if it has a method Close() error or Close(). An error of Close is ignored: there is nobody to tell. A
// nil pointer is no result, and most types' Close would panic.
func Close(v any) {
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
