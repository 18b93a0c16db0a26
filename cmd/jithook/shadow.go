package main

import (
	"log/slog"
	"os"
	"reflect"

	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/replay"
)

// sample is which part of the logins is looked at.
type sample float64

// defaultSample is it where nobody says otherwise: one in ten.
const defaultSample = 0.1

// DecodeYAML implements strictyaml.Decoder.
func (s *sample) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	var value any
	problems := n.Decode(&value)
	switch v := value.(type) {
	case float64:
		*s = sample(v)
	case int64:
		*s = sample(v)
	}
	if len(problems) == 0 && !(*s > 0 && *s <= 1) {
		problems = append(problems, n.Problemf("a sample is above 0 and at most 1, such as 0.1 for one login in ten"))
	}
	return problems
}

// Shape implements strictyaml.Shaped.
func (sample) Shape(func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return strictyaml.Schema{"type": "number", "exclusiveMinimum": 0, "maximum": 1}
}

// DecodeYAML implements strictyaml.Decoder.
func (s *shadowSection) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	if n.Kind() == strictyaml.Mapping {
		return n.Decode(&s.shadowForm)
	}
	return n.Decode(&s.Providers)
}

// Shape implements strictyaml.Shaped.
func (shadowSection) Shape(of func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return strictyaml.Schema{"anyOf": []strictyaml.Schema{of(reflect.TypeFor[strictyaml.Text]()), of(reflect.TypeFor[shadowForm]())}}
}

// shadow is the section, checked.
type shadow struct {
	dir    string
	at     strictyaml.Text // where the folder is named
	shown  string          // as messages show it
	sample float64
}

func (r *configReader) shadow(s *shadowSection) *shadow {
	if s == nil {
		return nil
	}
	out := &shadow{dir: r.path(s.Providers), at: s.Providers, sample: defaultSample}
	if s.Sample != nil {
		out.sample = float64(*s.Sample)
	}
	return out
}

// shadowProblems returns what is wrong with the candidates, if there are any.
func shadowProblems(c config) ([]strictyaml.Problem, error) {
	if c.shadow == nil || c.shadow.dir == "" {
		return nil, nil
	}
	loader, err := newLoader(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	_, problems := loader.Load(os.DirFS(c.shadow.dir))
	return located(problems, c.shadow.at, c.shadow.shown), nil
}

// shadowing is what watches candidates.
type shadowing struct {
	candidate *provider.Live
	decides   *replay.Shadow
}

// watchShadow has logins decided by the candidates too, if the configuration
// names some. Broken ones stop nothing: until they are mended, or else by the last
// good ones, nothing is compared.
func (a *app) watchShadow() {
	s := a.config.shadow
	if s == nil {
		return
	}
	count, log := a.metrics.Shadow(), a.log.With("folder", s.dir, "shadow", true)
	candidate := provider.NewLive(s.dir, a.loader, log, func(_ *provider.Set, good bool) { count.Loaded(good) })
	candidate.Reload()
	a.shadow = &shadowing{candidate, replay.NewShadow(replay.Shadow{
		Store: a.store, Live: a.live.Set, Candidate: candidate.Set, Userstores: a.config.userstores, Sample: s.sample,
		Now: now, Log: log, Later: a.recorder, Count: count,
	})}
	a.service.Decided = a.shadow.decides.See
}
