package measure

import (
	"math"
	"slices"
)

// Spread sums up repetitions.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// SpreadOf returns the spread of values; that of none is NaN.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{Median: math.NaN(), Min: math.NaN(), Max: math.NaN()}
	}
	v := slices.Sorted(slices.Values(values))
	middle := v[len(v)/2]
	if len(v)%2 == 0 {
		middle = (v[len(v)/2-1] + middle) / 2
	}
	return Spread{Median: middle, Min: v[0], Max: v[len(v)-1], N: len(v)}
}

// Over is the spread of one number of things.
func Over[T any](things []T, number func(T) float64) Spread {
	values := make([]float64, 0, len(things))
	for _, t := range things {
		values = append(values, number(t))
	}
	return SpreadOf(values)
}
