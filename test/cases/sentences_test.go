//go:build unix

package cases_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const policyFile = "../../docs/policy.md"

// sentence is a line of docs/policy.md that promises something.
var sentence = regexp.MustCompile(`(?m)^- <a id="([a-z0-9-]+)"></a>(.+)$`)

// sentences returns the promises of docs/policy.md by their anchors.
func sentences(t testing.TB) map[string]string {
	t.Helper()
	data, err := os.ReadFile(policyFile)
	must(t, err)
	all := map[string]string{}
	for _, m := range sentence.FindAllStringSubmatch(string(data), -1) {
		if all[m[1]] != "" {
			t.Errorf("%s has two sentences %s", policyFile, m[1])
		}
		all[m[1]] = m[2]
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "- ") && !sentence.MatchString(line) {
			t.Errorf("%s: a promise without an anchor: %s", policyFile, line)
		}
	}
	return all
}

// Every sentence has a case, and every case a sentence.
func TestSentences(t *testing.T) {
	all := sentences(t)
	proved := map[string]int{}
	for _, c := range allCases(t) {
		if all[c.Sentence] == "" {
			t.Errorf("%s: %q names the sentence %q, which %s does not have", c.file, c.Name, c.Sentence, policyFile)
		}
		proved[c.Sentence]++
	}
	for id, text := range all {
		if proved[id] == 0 {
			t.Errorf("no case proves %s: %s", id, text)
		}
	}
	t.Logf("%d sentences", len(all))
}
