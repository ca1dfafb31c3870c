package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// lifecycle ends what was begun, in reverse order, bounded in time.
type lifecycle struct {
	log   *slog.Logger
	steps []step
}

type step struct {
	name string
	end  func(context.Context) error
}

// stepTime is how long each part may take to end.
const stepTime = 10 * time.Second

// after registers how a part ends, right after it has begun.
func (l *lifecycle) after(name string, end func(context.Context) error) {
	l.steps = append(l.steps, step{name, end})
}

// end ends everything that was begun and joins the errors.
func (l *lifecycle) end() error {
	var errs []error
	for i := len(l.steps) - 1; i >= 0; i-- {
		s := l.steps[i]
		ctx, cancel := context.WithTimeout(context.Background(), stepTime)
		began := time.Now()
		if err := s.end(ctx); err != nil {
			errs = append(errs, fmt.Errorf("end %s: %w", s.name, err))
		}
		cancel()
		l.log.Debug("ended", "part", s.name, "took", time.Since(began).Round(time.Millisecond))
	}
	l.steps = nil
	return errors.Join(errs...)
}
