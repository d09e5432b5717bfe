package mettle

// A Describer tells what a policy is and how it is doing. Every policy of this module is one. Pages, metrics and
// checks read this and nothing else.
type Describer interface {
	// Describe returns a snapshot. It is safe for concurrent use and never waits for a call.
	Describe() Description
}

// A Description is a snapshot of a policy.
type Description struct {
	Kind    string // the kind of policy, such as "breaker"
	Name    string // its Config.Name
	State   string // such as "closed"; empty for policies without states
	Limit   int64  // such as a bulkhead's limit; 0 for policies without one
	Metrics []Metric
}

// A Metric is one number about a policy. Counters only grow.
type Metric struct {
	Name  string // lower case with underscores, unit last, such as "wait_seconds"
	Value float64
}
