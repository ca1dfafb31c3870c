package command

func operationDefs() []Def {
	return from(2,
		def[ExpireOperations, *ExpireOperations, Expired](KindExpireOperations, "operations.expire"),
	)
}

// ExpireOperations ends open operations whose deadline has passed, naming the regions that are not done, and forgets those that ended
// gallery.OperationHistory ago. Only the leader proposes it. Its result is *Expired.
type ExpireOperations struct{}

// Kind implements Command.
func (*ExpireOperations) Kind() Kind { return KindExpireOperations }

// Check implements Command.
func (*ExpireOperations) Check() error { return nil }
