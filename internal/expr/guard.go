package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// maxWork is how many comparisons or characters one call may take: some 20 ms.
const maxWork = 1_000_000

// measures say how much a call of a function takes, for those where it is more
// than the size of what goes in.
func measures() map[string]func(args []ref.Val) int {
	pairs := func(args []ref.Val) int { return product(size(args[0]), size(args[1])) }
	return map[string]func(args []ref.Val) int{
		"distinct":        func(args []ref.Val) int { return product(size(args[0]), size(args[0])) },
		"sets.contains":   pairs,
		"sets.equivalent": pairs,
		"sets.intersects": pairs,
		"hasOnly":         pairs,
		"hasAny":          pairs,
		"hasAll":          pairs,
		"hasExactly":      pairs,
		"indexOf":         pairs,
		"lastIndexOf":     pairs,
		// Every character may become the replacement.
		"replace": func(args []ref.Val) int { return product(size(args[0]), size(args[2])) },
		"join": func(args []ref.Val) int {
			separators := 0
			if len(args) > 1 {
				separators = product(size(args[0]), size(args[1]))
			}
			return separators + total(args[0])
		},
	}
}

// guards returns the functions of measures with a bound before each call. CEL
// charges for a call when it is over and cannot end one: a stranger who sends
// 100,000 groups to a rule with claims.groups.distinct() would keep a processor
// for minutes.
func guards(env *cel.Env) (cel.ProgramOption, error) {
	declared := env.Functions()
	var guarded []*functions.Overload
	for name, work := range measures() {
		bindings, err := declared[name].Bindings()
		if err != nil {
			return nil, err
		}
		for _, b := range bindings {
			guarded = append(guarded, guard(*b, work))
		}
	}
	//lint:ignore SA1019 its replacement declares functions; it cannot wrap those of a library
	return cel.Functions(guarded...), nil
}

func guard(o functions.Overload, work func(args []ref.Val) int) *functions.Overload {
	if unary := o.Unary; unary != nil {
		o.Unary = func(v ref.Val) ref.Val {
			if work([]ref.Val{v}) > maxWork {
				return types.WrapErr(workError{})
			}
			return unary(v)
		}
	}
	if binary := o.Binary; binary != nil {
		o.Binary = func(a, b ref.Val) ref.Val {
			if work([]ref.Val{a, b}) > maxWork {
				return types.WrapErr(workError{})
			}
			return binary(a, b)
		}
	}
	if function := o.Function; function != nil {
		o.Function = func(args ...ref.Val) ref.Val {
			if work(args) > maxWork {
				return types.WrapErr(workError{})
			}
			return function(args...)
		}
	}
	return &o
}

// workError says that a call would take more than maxWork.
type workError struct{}

func (workError) Error() string { return "a call takes too much work" }

// size is the number of characters or elements of v, at least 1.
func size(v ref.Val) int {
	sizer, ok := v.(traits.Sizer)
	if !ok {
		return 1
	}
	n, ok := sizer.Size().(types.Int)
	if !ok {
		return 1
	}
	return max(1, int(n))
}

// total is the sum of the sizes of a list's elements, or anything over maxWork
// where that is more.
func total(v ref.Val) int {
	list, ok := v.(traits.Lister)
	if !ok {
		return 1
	}
	n := 0
	for it := list.Iterator(); n <= maxWork && it.HasNext() == types.True; {
		n += size(it.Next())
	}
	return n
}

// product is a*b, or just over maxWork where that is less.
func product(a, b int) int {
	if a > maxWork/b {
		return maxWork + 1
	}
	return a * b
}
