package budget_test

import (
	"fmt"

	"github.com/mettle-go/mettle/internal/budget"
)

func ExampleNew() {
	// One extra run for every five calls, and ten a second beside.
	b := budget.New(budget.Config{Ratio: 0.2, Floor: 10})
	fmt.Println(b.Available() >= 100) // the floor of ten seconds
	// Output: true
}

func ExampleConfig_Validate() {
	fmt.Println(budget.Config{Ratio: -0.2, Floor: 10}.Validate())
	// Output: budget: Config.Ratio is -0.2, want 0, or 0.000001 to 1000
}

func ExampleBudget_Withdraw() {
	b := budget.New(budget.Config{Ratio: 0.2})
	for range 10 {
		b.Earn() // ten calls
	}
	for range 3 {
		_, ok := b.Withdraw(1)
		fmt.Println(ok)
	}
	// Output:
	// true
	// true
	// false
}

func ExampleBudget_Return() {
	b := budget.New(budget.Config{Ratio: 1})
	b.Earn()
	w, ok := b.Withdraw(1)
	fmt.Println(ok, b.Available())
	b.Return(w) // the extra run was called off
	fmt.Println(b.Available())
	// Output:
	// true 0
	// 1
}
