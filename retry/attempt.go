package retry

import (
	"context"

	"github.com/mettle-go/mettle/internal/layer"
)

// AttemptFrom returns which attempt of the innermost retry ctx belongs to, from 1. Outside of a retry it is 1 too. Contexts of first
// attempts carry no number, so that calls which succeed at once do not pay for it.
func AttemptFrom(ctx context.Context) int { return layer.AttemptFrom(ctx) }
