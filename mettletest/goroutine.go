package mettletest

import (
	"runtime"
	"strings"
)

// A goroutine is what a traceback says of one.
type goroutine struct {
	id    string
	state string // such as "running" or "chan receive (durable)"
	stack string // the traceback, header included
}

// goroutines returns those of a bubble. The traceback is the only place where the runtime names bubbles.
func goroutines(bubble string) []goroutine {
	var in []goroutine
	for _, text := range strings.Split(traceback(), "\n\n") {
		g, of := parse(text)
		if of != "" && of == bubble {
			in = append(in, g)
		}
	}
	return in
}

func traceback() string {
	for size := 1 << 16; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}

// thisBubble returns the name of the caller's bubble.
func thisBubble() string {
	buf := make([]byte, 1<<10)
	_, bubble := parse(string(buf[:runtime.Stack(buf, false)]))
	return bubble
}

// parse reads a traceback, which begins like "goroutine 7 [sleep (durable), 2 minutes, synctest bubble 3]:".
func parse(text string) (g goroutine, bubble string) {
	header, _, _ := strings.Cut(text, "\n")
	who, what, ok := strings.Cut(header, "[")
	if !ok {
		return goroutine{}, ""
	}
	g.id = strings.TrimSpace(strings.TrimPrefix(who, "goroutine "))
	g.state = what[:max(0, strings.IndexAny(what, ",]"))]
	g.stack = strings.TrimSpace(text)
	if _, rest, ok := strings.Cut(what, "synctest bubble "); ok {
		bubble = rest[:strings.IndexFunc(rest+"]", func(r rune) bool { return r < '0' || r > '9' })]
	}
	return g, bubble
}

// blocked reports whether g waits for another goroutine or for time. The state semacquire is not among those that say so: it is that of
// a goroutine that waits for its turn to stop the world for a traceback of its own.
func (g goroutine) blocked() bool {
	for _, state := range []string{"chan ", "select", "sleep", "sync.", "synctest."} {
		if strings.HasPrefix(g.state, state) {
			return true
		}
	}
	return false
}

// durably reports whether only the bubble itself can wake g, and the runtime knows it.
func (g goroutine) durably() bool {
	return strings.HasSuffix(g.state, "(durable)") || strings.HasPrefix(g.state, "synctest.")
}

// stuck reports whether none of gs can go on unless somebody outside of the bubble helps, in a way that the bubble itself does not
// notice: a mutex is one of those.
func stuck(gs []goroutine) bool {
	hidden := false
	for _, g := range gs {
		if !g.blocked() {
			return false
		}
		hidden = hidden || !g.durably()
	}
	return hidden
}

// stacks returns the tracebacks of gs.
func stacks(gs []goroutine) string {
	all := make([]string, len(gs))
	for i, g := range gs {
		all[i] = g.stack
	}
	return strings.Join(all, "\n\n")
}
