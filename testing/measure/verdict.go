package measure

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Verdict holds one measured number to its goal.
type Verdict struct {
	Name string  `json:"name"`
	Got  float64 `json:"got"`
	Goal float64 `json:"goal"`
	Unit string  `json:"unit,omitempty"`
	Most bool    `json:"atMost"` // else Goal is the least
	Met  bool    `json:"met"`
}

// Verdicts are those of one run, in order.
type Verdicts struct {
	All []Verdict `json:"verdicts"`
}

// AtMost notes a number that must not exceed its goal. NaN, which nobody measured, does.
func (v *Verdicts) AtMost(name string, got, goal float64, unit string) {
	v.add(Verdict{Name: name, Got: got, Goal: goal, Unit: unit, Most: true, Met: got <= goal})
}

// AtLeast notes a number that must reach its goal.
func (v *Verdicts) AtLeast(name string, got, goal float64, unit string) {
	v.add(Verdict{Name: name, Got: got, Goal: goal, Unit: unit, Met: got >= goal})
}

// add keeps a verdict. JSON has no NaN: what was not measured is -1 there, and not met.
func (v *Verdicts) add(one Verdict) {
	if math.IsNaN(one.Got) || math.IsInf(one.Got, 0) {
		one.Got, one.Met = -1, false
	}
	v.All = append(v.All, one)
}

func (v Verdict) String() string {
	word := map[bool]string{true: "at most", false: "at least"}[v.Most]
	unit := v.Unit
	if unit != "" {
		unit = " " + unit
	}
	switch {
	case v.Got < 0:
		return fmt.Sprintf("not measured: %s (%s %.4g%s)", v.Name, word, v.Goal, unit)
	case v.Met:
		return fmt.Sprintf("met:     %s: %.4g%s (%s %.4g)", v.Name, v.Got, unit, word, v.Goal)
	}
	return fmt.Sprintf("NOT MET: %s: %.4g%s (%s %.4g, missed by %.1f %%)", v.Name, v.Got, unit, word, v.Goal, 100*math.Abs(v.Got-v.Goal)/v.Goal)
}

// Print writes a line for each.
func (v *Verdicts) Print(out io.Writer) error {
	for _, one := range v.All {
		if _, err := fmt.Fprintln(out, one); err != nil {
			return err
		}
	}
	return nil
}

// Err joins the goals that were not met.
func (v *Verdicts) Err() error {
	var errs []error
	for _, one := range v.All {
		if !one.Met {
			errs = append(errs, errors.New(one.String()))
		}
	}
	return errors.Join(errs...)
}
