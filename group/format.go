package group

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shown is how many kinds of failures a report lists.
const shown = 10

// Format prints e for the verbs of package fmt. By %+v that is a report of few lines, however many failures there are: how
// many tasks ended in which way, why the scope was canceled, and then a line for each kind of failure, those of inner
// scopes included, with its number and the first of the kind; the most frequent first, ten at most, each text cut to
// 500 bytes. %v, %s and %q print what Error returns.
//
// Failures are of one kind if the errors at the root of their chains are of one type and have one text but for
// what is in quotes and words with digits in them; and panics are if they come from one line. The report names
// a type after the text, unless it is one of packages errors, fmt and context. It has no stacks: those of panics are in
// PanicError.Stack.
func (e *Error) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'v' && f.Flag('#'):
		type plain Error // without this method
		fmt.Fprintf(f, "%#v", (*plain)(e))
	case verb == 'v' && f.Flag('+') && e != nil:
		_, _ = f.Write([]byte(e.report()))
	default:
		fmt.Fprintf(f, fmt.FormatString(f, verb), e.Error())
	}
}

// LogValue returns what slog writes of e: a group of the counts, the cause and the kinds of failures as Format lists them.
func (e *Error) LogValue() slog.Value {
	if e == nil {
		return slog.Value{}
	}
	attrs := []slog.Attr{
		slog.Int("succeeded", e.Succeeded),
		slog.Int("failed", e.Failed),
		slog.Int("canceled", e.Canceled),
		slog.Int("not_started", e.NotStarted),
	}
	if why := e.why(); len(why) > 0 {
		attrs = append(attrs, slog.String("cause", strings.Join(why, "; ")))
	}
	kinds := e.kinds()
	if more := len(kinds) - shown; more > 0 {
		attrs = append(attrs, slog.Int("more_kinds", more))
	}
	if len(kinds) > 0 {
		attrs = append(attrs, slog.Any("kinds", kinds[:min(shown, len(kinds))]))
	}
	return slog.GroupValue(attrs...)
}

// why returns what ended the scope before all tasks had ended, as lines.
func (e *Error) why() []string {
	var why []string
	if e.Cause != nil && !errors.Is(e.parent, e.Cause) {
		why = append(why, line(e.Cause))
	}
	if e.parent != nil {
		why = append(why, line(e.parent))
	}
	return why
}

// report is Error in as many lines as there are kinds of failures, or not many more.
func (e *Error) report() string {
	var b strings.Builder
	b.WriteString("group: " + e.counts())
	for _, why := range e.why() {
		b.WriteString("\n\tcanceled by: " + why)
	}
	var inner Error
	e.inner(&inner)
	if n := inner.Canceled + inner.NotStarted; n > 0 {
		fmt.Fprintf(&b, "\n\tin inner scopes: %d canceled, %d never started", inner.Canceled, inner.NotStarted)
	}
	kinds := e.kinds()
	for _, k := range kinds[:min(shown, len(kinds))] {
		b.WriteString("\n\t" + k.String())
	}
	if len(kinds) > shown {
		n := 0
		for _, k := range kinds[shown:] {
			n += k.Count
		}
		fmt.Fprintf(&b, "\n\tand %d more of %d kinds", n, len(kinds)-shown)
	}
	return b.String()
}

// inner adds up what was cut off in the scopes within e's.
func (e *Error) inner(sum *Error) {
	for _, err := range e.Failures {
		if in := nested(err); in != nil {
			sum.Canceled += in.Canceled
			sum.NotStarted += in.NotStarted
			in.inner(sum)
		}
	}
}

// A kind is the failures that a report tells as one.
type kind struct {
	Count int    `json:"count"`
	Kind  string `json:"kind"`
	First string `json:"first"`
}

// String tells the first of the kind too, unless it says the same.
func (k kind) String() string {
	if k.Count == 1 || k.First == k.Kind {
		return fmt.Sprintf("%d × %s", k.Count, k.First)
	}
	return fmt.Sprintf("%d × %s; first: %s", k.Count, k.Kind, k.First)
}

// kinds returns the kinds of the failures of e and of the scopes within, the most frequent first, and of equals the one that
// came first.
func (e *Error) kinds() []kind {
	type key struct {
		of   reflect.Type
		text string
	}
	var kinds []kind
	seen := make(map[key]int)
	e.leaves(func(leaf error, whole func(error) error) {
		root := rootOf(leaf)
		k := key{reflect.TypeOf(root), text(root)}
		at, ok := seen[k]
		if !ok {
			at = len(kinds)
			seen[k] = at
			kinds = append(kinds, kind{Kind: k.text + typeName(k.of), First: line(whole(leaf))})
		}
		kinds[at].Count++
	})
	slices.SortStableFunc(kinds, func(a, b kind) int { return b.Count - a.Count })
	return kinds
}

// leaves calls see for each failure of e and of the scopes within. whole puts around it what wraps it up to e.
func (e *Error) leaves(see func(leaf error, whole func(error) error)) {
	for _, err := range e.Failures {
		in := nested(err)
		if in == nil {
			see(err, func(leaf error) error { return leaf })
			continue
		}
		in.leaves(func(leaf error, whole func(error) error) {
			see(leaf, func(leaf error) error { return rewrap(err, whole(leaf)) })
		})
	}
}

// rootOf returns the last error of err's chain, as far as it is a chain.
func rootOf(err error) error {
	for {
		if _, ok := err.(*PanicError); ok {
			return err
		}
		x, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		next := x.Unwrap()
		if next == nil {
			return err
		}
		err = next
	}
}

// typeName returns how a report names the type of a root, if that says more than the text.
func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[*PanicError](), reflect.TypeFor[*Error]():
		return ""
	}
	name := t.String()
	if pkg := strings.TrimPrefix(name, "*"); strings.HasPrefix(pkg, "errors.") || strings.HasPrefix(pkg, "fmt.") || strings.HasPrefix(pkg, "context.") {
		return ""
	}
	return " (" + name + ")"
}

// text returns what failures of the kind of root have in common in their texts.
func text(root error) string {
	if p, ok := root.(*PanicError); ok && p.where != "" {
		return "panic in " + p.where
	}
	return general(line(root))
}

// general returns s without what tells one failure from another of its kind: each word that has a digit in it, and what is in
// double quotes, is a "#". Words that hang together, as in 10.0.0.1:80 or a UUID, are one word.
func general(s string) string {
	var b strings.Builder
	for s != "" {
		if quoted, after, ok := strings.Cut(s[1:], `"`); s[0] == '"' && ok && quoted != "" {
			b.WriteString(`"#"`)
			s = after
			continue
		}
		n := strings.IndexFunc(s, func(r rune) bool { return !inWord(r) })
		switch {
		case n < 0:
			n = len(s)
		case n == 0:
			_, n = utf8.DecodeRuneInString(s)
		}
		word := s[:n]
		s = s[n:]
		// What ends a sentence or introduces the next text is not of the word.
		stem := strings.TrimRight(word, ".:-/")
		if strings.ContainsFunc(stem, unicode.IsDigit) {
			word = "#" + word[len(stem):]
		}
		b.WriteString(word)
	}
	return b.String()
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_.:-/", r)
}
