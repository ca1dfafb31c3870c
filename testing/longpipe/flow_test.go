package main

import (
	"testing"
	"time"
)

func TestBest(t *testing.T) {
	f := flow{Bytes: 100, Between: time.Second}
	for i := range 100 { // 10 s, the second half at the whole rate of 1 Mbit/s
		f.Steps = append(f.Steps, int64(i/50*12500))
	}
	if got := f.best(1); got != 1 {
		t.Errorf("best window %v, want 1", got)
	}
	if got := (flow{Steps: []int64{12500, 0}}).best(1); got != 0.5 {
		t.Errorf("of a short flow %v, want 0.5", got)
	}
}
