# `make help` lists the targets. Everything here runs on Linux and macOS with Go,
# gcc (for the race detector and Kratos's SQLite), bash and Node.js 20; `make test`
# needs PostgreSQL's programs and Chromium, too. Only the server of `make mongo` needs root on
# Debian, or else JITHOOK_TEST_MONGODB_URI.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
TOOL     = $(GO) tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
FUZZTIME ?= 30s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/jithook, static, with the version from git
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/jithook ./cmd/jithook

# A program with the race detector sleeps for a second before it ends, unless told
# otherwise, and the tests start hundreds. Many tests wait for other processes: more
# of them than there are processors run at once, and of packages, too.
REQUIRED = kratos,mongo,postgres,scim,systemd

.PHONY: test
test: export JITHOOK_TEST_REQUIRE = $(REQUIRED)
test: export GORACE = atexit_sleep_ms=50
test: peers mongo lint house deploy demo-test ## everything: peers, lint, the house's rules, all tests with the race detector, none skipped
	$(GO) test -race -p 3 -parallel 6 -timeout 9m ./...

.PHONY: demo
demo: peers ## see it work: Kratos, two OpenID providers and jithook behind a page on this machine; Ctrl-C stops them
	@$(GO) build -o bin/demo ./test/demo
	@exec ./bin/demo

.PHONY: demo-test
demo-test: peers ## the demo in Chromium (a module of its own)
	cd test/demo/browser && $(GO) vet ./... && $(GO) test -count=1 ./...

.PHONY: unit
unit: ## all tests, quickly; those that need a missing peer skip and say so
	@./test/kratos/peers.sh --where >/dev/null || echo "make unit: the tests against a real Kratos are skipped until make peers has built it" >&2
	$(GO) test ./...

.PHONY: peers
peers: ## fetch and build the real Kratos, OpenID provider and SCIM services for the tests, once, into a cache
	@./test/kratos/peers.sh
	@./test/scim/peers.sh

.PHONY: mongo
mongo: ## install and build the MongoDB-compatible server for the tests, once, into the cache (root on Debian)
	@./test/mongo/peers.sh

.PHONY: house
house: ## who imports whom, package comments, file lengths (uncached: they read files that go test does not watch)
	$(GO) test -count=1 ./test/house

.PHONY: lint
lint: ## gofmt, go.mod, vet, staticcheck, deadcode
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" >&2; echo "$$unformatted" >&2; exit 1; fi
	@$(GO) mod tidy -diff || { echo "run go mod tidy" >&2; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	@dead=$$($(TOOL) deadcode -test ./...); if [ -n "$$dead" ]; then echo "nothing calls:" >&2; echo "$$dead" >&2; exit 1; fi

.PHONY: bench
bench: ## the whole service beside bare handlers, into docs/benchmarks.md (Linux, make mongo, nothing else running); ONLY="first-mongo …", or all
	JITHOOK_TEST_REQUIRE=mongo JITHOOK_BENCH_ONLY='$(ONLY)' JITHOOK_BENCH_OUT='$(CURDIR)/docs' \
		$(GO) test -count=1 -run '^$$' -bench BenchmarkService -benchtime 1x -timeout 120m ./test/bench

.PHONY: benchmarks
benchmarks: ## all of docs/benchmarks.md anew, each table by its own command (an hour, nothing else running)
	@$(MAKE) bench ONLY=all
	@./tools/bench-page.sh bench-trust bench-mapping bench-outbound

.PHONY: soak
soak: ## ten minutes of load for each store, into docs/benchmarks.md
	@$(MAKE) bench ONLY="soak soak-mongo"

.PHONY: bench-trust
bench-trust: ## what checking tokens costs, and what strangers cost good callers, as a table (Linux, 5 minutes, nothing else running)
	@GO='$(GO)' ./tools/bench-trust.sh

.PHONY: bench-mapping
bench-mapping: ## what a mapping costs a login, against go-jsonnet and explained, and how long 500 cases take, as a Markdown table
	@$(GO) test -run '^$$' -bench BenchmarkMapping -benchtime 1x -timeout 10m ./test/mapping | grep -v -e ^Benchmark -e ^PASS -e ^goos -e ^goarch -e ^pkg -e ^cpu -e ^ok

.PHONY: deploy
deploy: ## what is in deploy, by the parsers of those who read it (a module of its own: Helm, Prometheus, BuildKit; minutes the first time)
	cd test/deploy && $(GO) vet ./... && $(GO) test -count=1 ./...

.PHONY: bench-outbound
bench-outbound: ## logins while a target is down, how fast it learns of everybody, and the memory of a backlog, as a Markdown table; then 100 kills
	@$(GO) test -run '^$$' -bench BenchmarkOutbound -benchtime 1x -timeout 20m ./test/scim | grep -v -e ^Benchmark -e ^PASS -e ^goos -e ^goarch -e ^pkg -e ^cpu -e ^ok
	JITHOOK_TEST_KILLS=100 $(GO) test -count=1 -run 'TestKilled$$' -timeout 20m -v ./test/scim

.PHONY: bench-replay
bench-replay: ## replay 100,000 recorded logins of an embedded store, on a machine that does nothing else
	$(GO) test -run '^$$' -bench Replay -benchtime 1x -timeout 15m ./replay

.PHONY: mutate
mutate: peers mongo ## break each sentence of docs/policy.md, take out each guard against threats.txt and of the store, see the test go red (hours)
	JITHOOK_TEST_REQUIRE=$(REQUIRED) $(GO) run ./test/mutate

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s)
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' ./tools/fuzz.sh

.PHONY: generate
generate: ## rewrite what is generated from the code, such as the README's table of reason codes
	$(GO) generate ./...

.PHONY: clean
clean: ## remove what was built here; the cache of the peers stays
	rm -rf bin
