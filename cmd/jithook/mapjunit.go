package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jithook/jithook/rules"
)

// The elements of JUnit's report that CI servers read.
type (
	junitSuite struct {
		XMLName    xml.Name         `xml:"testsuite"`
		Name       string           `xml:"name,attr"`
		Tests      int              `xml:"tests,attr"`
		Failures   int              `xml:"failures,attr"`
		Skipped    int              `xml:"skipped,attr"`
		Time       string           `xml:"time,attr"`
		Properties *junitProperties `xml:"properties"`
		Cases      []junitCase      `xml:"testcase"`
	}
	junitProperties struct {
		List []junitProperty `xml:"property"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string     `xml:"classname,attr"`
		Name    string     `xml:"name,attr"`
		Time    string     `xml:"time,attr"`
		Failure *junitText `xml:"failure"`
		Skipped *junitText `xml:"skipped"`
		Out     string     `xml:"system-out,omitempty"`
	}
	junitText struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, all []played, s rules.Summary, threshold percent) error {
	suite := junitSuite{Name: "jithook map test", Tests: len(all), Failures: s.Failed, Skipped: s.Todo, Time: seconds(s.Duration)}
	for _, p := range all {
		c := junitCase{Class: p.Case.File.Provider.Value, Name: p.Case.Name.Value, Time: seconds(p.Duration)}
		switch p.outcome() {
		case "fail":
			var text strings.Builder
			p.pretty(&text)
			c.Failure = &junitText{Message: p.Diffs[0].Path, Text: text.String()}
		case "todo":
			c.Skipped = &junitText{Message: p.Case.Todo}
		}
		suite.Cases = append(suite.Cases, c)
		suite.timed(p)
	}
	if s.Coverage != nil {
		suite.cover(*s.Coverage, threshold)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }

// timed notes how long a case takes, where somebody asked.
func (s *junitSuite) timed(p played) {
	if p.perLogin == 0 {
		return
	}
	if s.Properties == nil {
		s.Properties = &junitProperties{}
	}
	s.Properties.List = append(s.Properties.List, junitProperty{"seconds per login of " + p.name(), fmt.Sprintf("%.9f", p.perLogin.Seconds())})
}

// cover makes a case of what no case reached, since the report knows nothing
// else that fails.
func (s *junitSuite) cover(covered rules.Coverage, threshold percent) {
	var text strings.Builder
	_ = writeCoverage(&text, covered) // a Builder takes everything
	c := junitCase{Class: "jithook", Name: "coverage", Time: seconds(0), Out: text.String()}
	if covered.Percent() < float64(threshold) {
		c.Failure = &junitText{Message: fmt.Sprintf("covered %.1f %%, less than --threshold %s", covered.Percent(), &threshold), Text: c.Out}
		c.Out = ""
		s.Failures++
	}
	s.Tests++
	s.Cases = append(s.Cases, c)
}
