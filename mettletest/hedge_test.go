package mettletest_test

import (
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/mettletest"
)

func TestHedgeKeepsTheContract(t *testing.T) {
	for name, config := range map[string]hedge.Config{
		"one more":      {Name: "reads", Delay: 100 * time.Millisecond, Budget: hedge.Unlimited},
		"three more":    {Delay: time.Second, Max: 3, Budget: hedge.Unlimited},
		"own budget":    {Delay: time.Second},
		"by a quantile": {Quantile: 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			testPolicy(t, mettletest.Config{New: func(o mettle.Observer) mettle.Policy {
				config.Observer = o
				return hedge.New(config)
			}})
		})
	}
}
