package provision

// armTargets arms everybody who is to learn of what the plan writes: the targets
// that the files of linked providers name, and those that may have the identity
// already. Whether it goes there, or not any more, the worker judges, by what the
// identity is then.
func (s *Service) armTargets(p *Plan) {
	if p.op != opInsert && p.op != opSwap {
		return
	}
	for _, target := range s.Providers().Targets(p.After) {
		p.After.Arm(target, p.now)
	}
	for _, r := range p.After.Resources {
		p.After.Arm(r.Target, p.now)
	}
}
