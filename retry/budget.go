package retry

import (
	"time"

	"github.com/mettle-go/mettle/internal/budget"
)

// A Budget bounds the load that retries add; see Config.Budget. Every call earns a fraction of a token, a floor of tokens comes in with
// time, a retry takes one, and what was earned longer ago than the budget's time to live is gone. So a dependency that is down for
// everybody sees little more than the calls themselves, and single failures are retried as if there were no budget.
//
// The tokens of a retry are taken before its wait, and given back if the caller's context ends the wait. Package hedge takes the same
// type: a Budget shared by both bounds what they add together.
type Budget = budget.Budget

// BudgetConfig is the configuration of a Budget.
type BudgetConfig = budget.Config

// NewBudget returns a budget for policies to share. It panics if c.Validate has an error.
func NewBudget(c BudgetConfig) *Budget { return budget.New(c) }

// Unlimited is the Budget that lets every retry go.
var Unlimited = budget.Unlimited

// ownBudget is the budget of a policy whose Config has none.
func ownBudget() *Budget {
	return budget.New(budget.Config{Ratio: 0.2, Floor: 10, TTL: 10 * time.Second})
}

// cost returns how many tokens a retry after an error of that kind takes.
func (p *Policy) cost(kind int) float64 {
	if kind > 0 && p.rules[kind-1].Cost > 0 {
		return float64(p.rules[kind-1].Cost)
	}
	return 1
}

func (p *Policy) giveBack(w budget.Withdrawal) {
	if p.budget != nil {
		p.budget.Return(w)
	}
}
