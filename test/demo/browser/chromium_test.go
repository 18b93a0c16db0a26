//go:build unix

package browser_test

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// picturesEnv names the folder that keeps the pictures; without it they go with
// the test, which has looked at widths and contrasts by then.
const picturesEnv = "JITHOOK_DEMO_PICTURES"

// contrast finds what is hard to read or has no name.
//
//go:embed contrast.js
var contrast string

type chromium struct{ ctx context.Context }

// openChromium starts the machine's Chromium, which ends with the test.
func openChromium(t *testing.T) chromium {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Fatal("no Chromium: apt-get install chromium")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program))
	if isRoot() { // Chromium has no sandbox for root; it sees nothing but this demo
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return chromium{ctx}
}

// tab is a new browser of a person's: without cookies, and watched.
type tab struct {
	t   *testing.T
	d   *demo
	ctx context.Context
}

func (c chromium) tab(t *testing.T, d *demo) *tab {
	t.Helper()
	b := &tab{t: t, d: d}
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.watch()))
	t.Cleanup(cancel)
	b.ctx, cancel = context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(1280, 800)); err != nil { // the first call's context is the tab's
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	return b
}

// watch notes whatever the console shows as a fault, every server that is none of
// the demo's, and every request that carries a credential of an administrator's.
func (b *tab) watch() func(event any) {
	var mu sync.Mutex
	var faults []string
	fault := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		faults = append(faults, fmt.Sprintf(format, args...))
	}
	known := map[string]bool{}
	for _, name := range []string{"Open", "Kratos", "ACME", "GLOBEX"} {
		if at, err := url.Parse(b.d.servers[name]); err == nil {
			known[at.Host] = true
		}
	}
	b.t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, f := range faults {
			b.t.Error(f)
		}
	})
	return func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			fault("exception: %v", e.ExceptionDetails)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				fault("console: %s", e.Args[0].Value)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
				fault("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			at, err := url.Parse(e.Request.URL)
			if err != nil || at.Scheme != "data" && !known[at.Host] {
				fault("request to %s", e.Request.URL)
			}
			if strings.Contains(fmt.Sprint(e.Request.URL, e.Request.Headers), token) {
				fault("the token goes to %s", e.Request.URL)
			}
		}
	}
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience/3)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v; the page is %q", err, b.look(`document.body.innerText`))
	}
}

// call sends a command of the protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// look evaluates an expression that yields a string; between two pages there is
// none.
func (b *tab) look(expression string) string {
	found, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	return found
}

// evaluate is look for what is there in any case; a promise is waited for.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// until polls, with a deadline.
func (b *tab) until(what string, holds func() bool) {
	b.t.Helper()
	for !holds() {
		if b.ctx.Err() != nil {
			b.t.Fatalf("no %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// await waits until the page is complete with one of these headings.
func (b *tab) await(headings ...string) {
	b.t.Helper()
	deadline := time.Now().Add(patience / 3)
	for {
		now := b.look(`document.body?.dataset.ready === 'true' ? document.querySelector('h1').textContent : ''`)
		if slices.Contains(headings, now) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("heading %q, want %q; the page is %q at %q", now, headings, b.look(`document.body.innerText`), b.look(`location.href`))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (b *tab) awaitText(selector, want string) {
	b.t.Helper()
	b.until(want, func() bool { return strings.Contains(b.text(selector), want) })
}

// text is the text of an element as one line.
func (b *tab) text(selector string) string {
	return strings.Join(strings.Fields(b.look(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ''`, selector))), " ")
}

func (b *tab) title() string { return b.look(`document.title`) }

func (b *tab) click(path string) { b.t.Helper(); b.run(chromedp.Click(path)) }

func (b *tab) write(path, text string) {
	b.t.Helper()
	b.run(chromedp.Clear(path), chromedp.SendKeys(path, text))
}

// toProvider begins a sign-in, as far as the provider's own page.
func (b *tab) toProvider(provider string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.d.url + "/"))
	b.await("Sign in")
	b.click(fmt.Sprintf(`//button[contains(., %q)]`, provider))
	b.until("login page of "+provider, func() bool { return b.text("h1") == provider })
}

// signIn goes through the provider's page to one of these headings of ours.
func (b *tab) signIn(provider, person string, headings ...string) {
	b.t.Helper()
	b.toProvider(provider)
	b.click(fmt.Sprintf(`//button[contains(., %q)]`, person))
	b.await(headings...)
}

func (b *tab) wantShown(parts ...string) {
	b.t.Helper()
	shown := b.text("#shown")
	for _, part := range parts {
		if !strings.Contains(shown, part) {
			b.t.Errorf("%q is not in %q", part, shown)
		}
	}
	if strings.Contains(shown, "`") {
		b.t.Errorf("what is code stands between backquotes: %q", shown)
	}
}

// pictures looks at the page as it stands, light and dark, on a phone and on a
// desk.
func (b *tab) pictures(name string) {
	b.t.Helper()
	dir := os.Getenv(picturesEnv)
	if dir == "" {
		dir = b.t.TempDir()
	}
	for _, scheme := range []string{"light", "dark"} {
		for device, width := range map[string]int64{"phone": 390, "desktop": 1280} {
			b.run(chromedp.EmulateViewport(width, 800))
			call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			for _, f := range evaluate[[]string](b, contrast) {
				b.t.Errorf("%s, %s, %s: %s", name, scheme, device, f)
			}
			picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				b.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%s.png", name, scheme, device)), picture, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.run(chromedp.EmulateViewport(1280, 800))
}
