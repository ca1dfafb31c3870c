package main

import "testing"

func TestSentUntilTheRestart(t *testing.T) {
	s := story{Step: 0.25, Links: []link{{Region: origin, Sent: []int64{1, 2, 4, 8}}}}
	if got := s.sent(0); got != 15 {
		t.Errorf("without a restart: got %d, want 15", got)
	}
	s.Restart = 0.5
	if got := s.sent(0); got != 3 {
		t.Errorf("a restart after two steps: got %d, want 3", got)
	}
}
