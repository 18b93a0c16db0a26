package deploy_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/metrics"
)

// exported returns the metrics that jithook exports, each with its labels. What
// counts by labels is there once it has counted.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	m := metrics.New("test")
	m.Login(identity.Record{Provider: "acme", Policy: "d1", Decision: identity.Denied, Reasons: []identity.Reason{identity.Because(identity.CodeGroupChangeHeld)}})
	m.StoreError("ping")
	m.CallerRefused("unknown", 1)
	m.ProvidersLoaded(1, []string{"acme"}, true)
	m.ProvidersLoaded(1, []string{"acme"}, false)
	o := m.Outbound([]string{"hr"}, []string{"done"})
	o.Attempted("hr", "done", true, time.Second)
	o.Backlog("hr", 1, 1, time.Second)
	reply := httptest.NewRecorder()
	m.Handler().ServeHTTP(reply, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, sample := range regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? `).FindAllStringSubmatch(string(text), -1) {
		names := []string{"job", "instance"}
		for _, label := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(sample[2], -1) {
			names = append(names, label[1])
		}
		all[sample[1]] = names
	}
	return all
}

// holds parses an expression and holds its metrics and labels to those there are.
func holds(t *testing.T, where, text string, all map[string][]string) (names []string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %v in %s", where, err, text)
		return nil
	}
	var known []string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			names = append(names, s.Name)
			there, ok := all[s.Name]
			if !ok {
				t.Errorf("%s: jithook exports no %s", where, s.Name)
			}
			known = append(known, there...)
			for _, m := range s.LabelMatchers {
				if m.Name != labels.MetricName && !slices.Contains(there, m.Name) {
					t.Errorf("%s: %s has no label %s", where, s.Name, m.Name)
				}
			}
		}
		return nil
	})
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, name := range a.Grouping {
				if !slices.Contains(known, name) {
					t.Errorf("%s: nothing in it has the label %s", where, name)
				}
			}
		}
		return nil
	})
	return names
}

// TestAlerts also holds each alert to its section of the runbook, and back.
func TestAlerts(t *testing.T) {
	groups, problems := rulefmt.ParseFile(chart+"/alerts.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	all, runbook := exported(t), read(t, root+"/docs/runbook.md")
	var alerts []string
	for _, rule := range groups.Groups[0].Rules {
		alerts = append(alerts, rule.Alert)
		holds(t, rule.Alert, rule.Expr, all)
		if want := "docs/runbook.md#" + strings.ToLower(rule.Alert); !strings.HasSuffix(rule.Annotations["runbook_url"], want) {
			t.Errorf("%s: its runbook is %s", rule.Alert, rule.Annotations["runbook_url"])
		}
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || !slices.Contains([]string{"critical", "warning"}, rule.Labels["severity"]) {
			t.Errorf("%s: %v %v", rule.Alert, rule.Annotations, rule.Labels)
		}
	}
	var sections []string
	for _, section := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(runbook, -1) {
		sections = append(sections, section[1])
	}
	if !slices.Equal(alerts, sections) {
		t.Errorf("alerts %q, sections of the runbook %q", alerts, sections)
	}
}

// TestDashboard also holds it to show every metric of jithook's own.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		UID    string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ RefID, Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, dir+"/grafana/jithook.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	all := exported(t)
	var shown []string
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d: %q", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			if other := taken[[2]int{x, p.GridPos.Y}]; other != "" {
				t.Errorf("%q lies over %q", p.Title, other)
			}
			taken[[2]int{x, p.GridPos.Y}] = p.Title
		}
		for _, target := range p.Targets {
			text := strings.NewReplacer("$__rate_interval", "5m", "$job", "jithook").Replace(target.Expr)
			names := holds(t, p.Title, text, all)
			shown = append(shown, names...)
			for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(all[name], label[1]) }) {
					t.Errorf("%s: nothing has the label %s", p.Title, label[1])
				}
			}
		}
	}
	for name := range all {
		family := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "jithook_") && !slices.ContainsFunc(shown, func(s string) bool { return strings.HasPrefix(s, family) }) && name != "jithook_provider_load_timestamp_seconds" {
			t.Errorf("no panel shows %s", name)
		}
	}
}
