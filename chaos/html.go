package chaos

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

// style is plain, and as dark as the reader's system is.
const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; } code, td:first-child { font-family: ui-monospace, monospace; font-size: .92em; }
.tiles, .tables { display: flex; flex-wrap: wrap; gap: .75rem; } .tables { gap: 0 3rem; align-items: start; } .tiles div { background: var(--soft); border-radius: .4rem; padding: .4rem .9rem; }
.tiles b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; } .bad b { color: #d33; }
table { border-collapse: collapse; margin: .5rem 0; } td, th { padding: .1rem 1.2rem .1rem 0; text-align: left; vertical-align: top; }
th { font-weight: 400; opacity: .65; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
section { border-top: 1px solid var(--line); padding: .7rem 0; }
section > code { overflow-wrap: anywhere; font-size: 1rem; } section p { margin: .1rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: .2rem 0 0; opacity: .75; }
dt { font-family: ui-monospace, monospace; font-size: .92em; } dd { margin: 0; }
@media (max-width: 34rem) { dl { display: block; } dd { margin: 0 0 .2rem 1.2rem; } }
`

// A htmlPage is text with the few tags that the page needs. What it is given is escaped.
type htmlPage struct{ strings.Builder }

func (b *htmlPage) put(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = html.EscapeString(s)
		}
	}
	fmt.Fprintf(b, format+"\n", args...)
}

// indexHTML is the page about everything, for browsers. It needs no script and asks for nothing else.
func (s *Server) indexHTML() string {
	var b htmlPage
	b.put(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>chaos server</title>` +
		`<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">`)
	b.put("<style>" + style + "</style></head><body>")
	b.put("<h1>chaos server</h1><p>It misbehaves on purpose, exactly as the URL says: the path chooses a fault, the query tunes it. "+
		"What follows the path is free and makes different URLs of one fault: <code>/reset/1</code>, <code>/reset/2</code>. "+
		"Seed %d: the same requests get the same bytes.</p>", s.cfg.Seed)
	b.stats(s.Stats())
	b.put("<h2>What every path takes</h2>")
	b.params(append(slices.Clone(goodParams), healParam))
	b.put("<h2>Paths</h2>")
	for _, f := range table {
		b.put(`<section id="%s"><code><a href="%[2]s">%[2]s</a></code><p>%s.</p>`, f.name, f.example, f.doc)
		b.params(f.params[:f.own])
		b.put("</section>")
	}
	b.put("<h2>Of the server itself</h2><p>These are not counted, and no hold concerns them.</p>")
	for _, p := range serverPages {
		b.put(`<section><code><a href="%s">%[1]s</a></code><p>%s.</p></section>`, p.example(), p.doc)
	}
	b.put("</body></html>")
	return b.String()
}

func (b *htmlPage) params(list []*param) {
	if len(list) == 0 {
		return
	}
	b.put("<dl>")
	for _, p := range list {
		what, about, _ := strings.Cut(p.want, " (")
		b.put("<dt>%s=%s</dt><dd>%s</dd>", p.name, what, strings.TrimSuffix(about, ")"))
	}
	b.put("</dl>")
}

// hostsShown bounds the page where one server plays every host of the internet.
const hostsShown = 20

func (b *htmlPage) stats(st Stats) {
	b.put("<h2>So far</h2>")
	if st.Requests == 0 {
		b.put("<p>Nobody has asked for anything yet. <a href=\"/stats\">/stats</a> says the same as JSON.</p>")
		return
	}
	b.put(`<div class="tiles"><div><b>%s</b>requests</div>`, comma(st.Requests))
	class := ""
	if st.Violations > 0 {
		class = "bad"
	}
	b.put(`<div class="%s"><b>%s</b>violations of a hold</div>`, class, comma(st.Violations))
	b.put(`<div><b>%s</b>connections</div><div><b>%s</b>of them open</div></div>`, comma(st.Conns), comma(int64(st.Open)))
	b.put("<div class=tables><table><tr><th>answer<th class=n>times</tr>")
	for _, name := range largestFirst(st.Faults, func(n int64) int64 { return n }) {
		b.put("<tr><td>%s<td class=n>%s</tr>", name, comma(st.Faults[name]))
	}
	b.put("</table><table><tr><th>status<th class=n>times</tr>")
	for _, code := range slices.Sorted(maps.Keys(st.Status)) {
		b.put("<tr><td>%d<td class=n>%s</tr>", code, comma(st.Status[code]))
	}
	b.put("</table><table><tr><th>host<th class=n>requests<th class=n>violations<th class=n>most at a time</tr>")
	hosts := largestFirst(st.Hosts, func(h HostStats) int64 { return h.Requests })
	for _, name := range hosts[:min(len(hosts), hostsShown)] {
		h := st.Hosts[name]
		b.put("<tr><td>%s<td class=n>%s<td class=n>%s<td class=n>%d</tr>", name, comma(h.Requests), comma(h.Violations), h.Peak)
	}
	b.put("</table></div>")
	if more := len(hosts) - hostsShown; more > 0 {
		b.put("<p>and %s more hosts</p>", comma(int64(more)))
	}
	b.put("<p>Reload for newer figures. <a href=\"/stats\">/stats</a> has them, and those of each URL, as JSON.</p>")
}

func largestFirst[V any](counts map[string]V, n func(V) int64) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(n(counts[b]), n(counts[a])), cmp.Compare(a, b))
	})
}
