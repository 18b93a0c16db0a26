package provider

import (
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// groupPolicy returns what becomes of groups. A setting that could do nothing
// is a mistake.
func (c *compiler) groupPolicy(f file) policy.GroupPolicy {
	jit := f.JIT
	p := policy.GroupPolicy{Sync: policy.GroupSync(c.oneOf(jit.GroupSync, string(policy.GroupsMirror),
		string(policy.GroupsNone), string(policy.GroupsAssign), string(policy.GroupsAppend), string(policy.GroupsMirror)))}
	if grants := p.Sync == policy.GroupsAssign || p.Sync == policy.GroupsAppend; grants && f.Groups == nil {
		c.refuse(*jit.GroupSync, "group_sync: %s grants what groups yields, and the file has no groups", p.Sync)
	}
	if limit := jit.GroupsUnknownMax; limit != nil {
		p.UnknownMax = limit.value
		if f.Groups == nil || p.Sync != policy.GroupsMirror {
			c.problems = append(c.problems, limit.Problemf("groups_unknown_max has no effect without groups and group_sync: mirror"))
		}
	}
	if limit := jit.Limits.MaxGroupRemovals; limit != nil {
		p.MaxRemovals = &limit.value
		switch {
		case limit.value < 0:
			c.problems = append(c.problems, limit.Problemf("want a number of 0 or more"))
		case p.Sync != policy.GroupsMirror:
			c.problems = append(c.problems, limit.Problemf("max_group_removals has no effect without group_sync: mirror: nothing else revokes"))
		}
	}
	return p
}

func (c *compiler) groups(g groupsSection) *mapper.GroupsSpec {
	spec := &mapper.GroupsSpec{Map: map[string]string{}, Absent: c.oneOf(g.Absent, mapper.AbsentKeep, mapper.AbsentKeep, mapper.AbsentClear, mapper.AbsentReject)}
	spec.From = source(g.From)
	if g.UnknownWhen != nil {
		s := source(*g.UnknownWhen)
		spec.UnknownWhen = &s
	}
	for _, a := range g.Allow.value {
		spec.Allow = append(spec.Allow, a.Value)
	}
	for _, m := range g.Map.value {
		spec.Map[m.Key.Value] = m.Value.Value
	}
	if len(g.Allow.value)+len(g.Map.value) == 0 && !g.Allow.failed && !g.Map.failed {
		c.problems = append(c.problems, g.Problemf("groups needs allow or map: only groups that are named here are ever granted"))
	}
	return spec
}
