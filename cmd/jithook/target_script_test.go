package main

// The script command "target": a SCIM service that scripts deliver to, and that
// people of its own change behind everybody's back.

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jithook/jithook/test/scim/scimtest"
)

type targetKey struct{}

// scriptTarget is what a script's Values hold under targetKey.
type scriptTarget struct {
	*scimtest.Target

	holding atomic.Bool // replies to POST

	mu   sync.Mutex
	seen map[string]bool // accounts that were read
	most int             // how many may be; 0 is any number
}

// targetCommand returns the command "target VERB …":
//
//	start FILE                     starts it and writes jithook.yaml: FILE, with its URL for TARGET
//	account USERNAME EXTERNALID    makes an account; - is no externalId
//	edit ATTRIBUTE VALUE [NAME]    changes all accounts, or that with the userName
//	refuse [TEXT]                  no document with this in it is taken; all are
//	tire N                         answers about N accounts, and no more; 0 is about all
//	hold                           makes accounts, and never says so
//	has N [ATTRIBUTE VALUE]        waits until there are N accounts, or N with that
func targetCommand(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		verb := strings.Join(args[:min(1, len(args))], "") + "/" + strconv.Itoa(len(args)-1)
		if verb == "start/1" {
			s := &scriptTarget{Target: scimtest.New(t)}
			s.Before = s.tired
			front := httptest.NewServer(http.HandlerFunc(s.serve))
			t.Cleanup(front.Close)
			s.URL = front.URL
			*ts.Value(targetKey{}).(**scriptTarget) = s
			text := strings.ReplaceAll(ts.ReadFile(args[1]), "TARGET", s.URL)
			ts.Check(os.WriteFile(ts.MkAbs("jithook.yaml"), []byte(text), 0o600))
			return
		}
		s := *ts.Value(targetKey{}).(**scriptTarget)
		if neg || s == nil {
			ts.Fatalf("usage: target start FILE, before all else")
		}
		switch verb {
		case "account/2":
			d := scimtest.Doc{"userName": args[1], "active": true}
			if args[2] != "-" {
				d["externalId"] = args[2]
			}
			s.Put("Users", d)
		case "edit/2", "edit/3":
			for _, d := range s.All("Users", "", "") {
				if len(args) == 3 || d["userName"] == args[3] {
					s.Rename("Users", d["id"].(string), args[1], args[2])
				}
			}
		case "refuse/0", "refuse/1":
			s.Refuse(strings.Join(args[1:], ""))
		case "tire/1":
			n, err := strconv.Atoi(args[1])
			ts.Check(err)
			s.tire(n)
		case "hold/0":
			s.holding.Store(true)
		case "has/1", "has/3":
			s.wait(ts, args[1], args[2:])
		default:
			ts.Fatalf("there is no target %s", verb)
		}
	}
}

// serve is the service, or one that holds a reply back for as long as somebody
// waits for it.
func (s *scriptTarget) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !s.holding.Load() {
		s.ServeHTTP(w, r)
		return
	}
	s.ServeHTTP(httptest.NewRecorder(), r)
	<-r.Context().Done()
}

func (s *scriptTarget) tire(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.most = map[string]bool{}, n
}

// tired refuses to read more accounts than it may, one by one or from the list.
func (s *scriptTarget) tired(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, one := strings.CutPrefix(r.URL.Path, "/Users/")
	if one && s.seen != nil {
		s.seen[id] = true
	}
	behind, _ := strconv.Atoi(r.URL.Query().Get("startIndex"))
	if s.most == 0 || len(s.seen) <= s.most && behind <= s.most {
		return false
	}
	w.WriteHeader(http.StatusInternalServerError)
	return true
}

// wait has what deliveries change appear later than their command's end.
func (s *scriptTarget) wait(ts *testscript.TestScript, number string, with []string) {
	want, err := strconv.Atoi(number)
	ts.Check(err)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		n := 0
		for _, d := range s.All("Users", "", "") {
			text, _ := d[strings.Join(with[:min(1, len(with))], "")].(string)
			active, _ := d["active"].(bool)
			if len(with) == 0 || text == with[1] || with[0] == "active" && strconv.FormatBool(active) == with[1] {
				n++
			}
		}
		if n == want {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the target has %d accounts with %v, want %d", n, with, want)
		}
	}
}
