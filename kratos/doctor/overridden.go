package doctor

import (
	"slices"

	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/kratos/setup"
)

// overridden finds hooks of other people's in a flow's global list which no method
// runs, since each that is on has a list of its own: ours, most likely, merged in by
// hand. (Setup takes such hooks along.)
func (e *examination) overridden(wanted []kratos.List, flow string, methods []string) {
	global := []string{"selfservice", "flows", flow, "after", "hooks"}
	if slices.ContainsFunc(wanted, func(l kratos.List) bool { return slices.Equal(l.Path, global) }) {
		return // a method runs it that is not among these
	}
	var run []any
	for _, method := range methods {
		path := below(global[:4], method, "hooks")
		if !e.runs(kratos.List{Path: path}) {
			continue
		}
		own, _ := setup.At(e.config, path...).([]any)
		if len(own) == 0 {
			return
		}
		run = append(run, own...)
	}
	if len(run) == 0 || !e.on(true, "flows", flow, "enabled") {
		return
	}
	hooks, _ := setup.At(e.config, global...).([]any)
	for n, h := range hooks {
		same := func(other any) bool {
			return setup.At(h, "hook") == setup.At(other, "hook") && setup.At(h, "config", "url") == setup.At(other, "config", "url")
		}
		if e.ours.Endpoint(h) == "" && setup.At(h, "hook") != "session" && !slices.ContainsFunc(run, same) {
			e.find(CodeHookOverridden, at(global, n), "no %s runs this hook: every method that is on has a list of its own, without it", flow)
		}
	}
}
