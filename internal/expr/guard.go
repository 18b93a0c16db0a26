package expr

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/decls"
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

// guarded declares the functions of measures anew, with a bound before each call.
// CEL charges for a call when it is over and cannot end one: a stranger who sends
// 100,000 groups to a rule with claims.groups.distinct() would keep a processor
// for minutes.
func guarded(env *cel.Env) (*cel.Env, error) {
	declared := env.Functions()
	var all []*decls.FunctionDecl
	for name, work := range measures() {
		f, err := guard(declared[name], work)
		if err != nil {
			return nil, fmt.Errorf("bound the work of %s: %w", name, err)
		}
		all = append(all, f)
	}
	return cel.FunctionDecls(all...)(env)
}

// guard returns the declaration with other bindings, which CEL takes in the place
// of those that it has.
func guard(f *decls.FunctionDecl, work func(args []ref.Val) int) (*decls.FunctionDecl, error) {
	bindings, err := f.Bindings()
	if err != nil {
		return nil, err
	}
	var overloads []decls.FunctionOpt
	for _, o := range f.OverloadDecls() {
		i := slices.IndexFunc(bindings, func(b *functions.Overload) bool { return b.Operator == o.ID() })
		if i < 0 {
			return nil, fmt.Errorf("%s has no binding of its own", o.ID())
		}
		declare := decls.Overload
		if o.IsMemberFunction() {
			declare = decls.MemberOverload
		}
		overloads = append(overloads, declare(o.ID(), o.ArgTypes(), o.ResultType(), bound(bindings[i], work)))
	}
	return decls.NewFunction(f.Name(), overloads...)
}

// bound is a binding of an overload that refuses too much work.
func bound(o *functions.Overload, work func(args []ref.Val) int) decls.OverloadOpt {
	switch {
	case o.Unary != nil:
		return decls.UnaryBinding(func(v ref.Val) ref.Val {
			if work([]ref.Val{v}) > maxWork {
				return types.WrapErr(workError{})
			}
			return o.Unary(v)
		})
	case o.Binary != nil:
		return decls.BinaryBinding(func(a, b ref.Val) ref.Val {
			if work([]ref.Val{a, b}) > maxWork {
				return types.WrapErr(workError{})
			}
			return o.Binary(a, b)
		})
	}
	return decls.FunctionBinding(func(args ...ref.Val) ref.Val {
		if work(args) > maxWork {
			return types.WrapErr(workError{})
		}
		return o.Function(args...)
	})
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
