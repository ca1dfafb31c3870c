package replicate

import "loggia/transfer/repository"

var _ Target = (*repository.Writer)(nil)

// NewTarget is a writer as a target: it looks chunks up in its view, too.
func NewTarget(_ *repository.View, w *repository.Writer) Target { return w }
