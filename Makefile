# Everything a newcomer needs: make demo, make test. Only Go is required, except for race (a
# C compiler, as Go's race detector wants), e2e (python3, node, npm) and parity (python3).

GO ?= go
export CGO_ENABLED = 0
BIN = bin/outcrop
# The kernels are left out of the race detector's run: they are assembly, and its overhead
# on their reference loops is hours.
RACE = $(shell $(GO) list ./... | grep -v -e /tensor -e /e2e)
# Whole servers that are killed and loaded run after the rest, one package after the other.
APART = $(shell $(GO) list ./... | grep -v /e2e)
# For kills and soak.
FROM = 0
KILLS = 100
SEED = 1
HOURS = 8

.PHONY: build test lint race long kills soak vuln gen bench bench-peers e2e parity demo clean

build: ## the program, as bin/outcrop
	$(GO) build -trimpath -o $(BIN) ./cmd/outcrop

demo: build ## a real fine-tune from end to end, in under 3 minutes
	$(BIN) demo

test: lint ## all that must pass; under 8 minutes
	$(GO) test $(APART)
	$(GO) test -p 1 -timeout 20m ./e2e/...

lint: ## formatting, vet, staticcheck; the import rules are checked by test (internal/arch)
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt these files:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags long ./...
	$(GO) tool staticcheck ./...

race: ## everything but the kernels under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race $(RACE)

long: race ## slow tests: the race detector, the portable build, the long sizes of docs/reliability.md
	$(GO) test -tags purego $(APART)
	$(GO) test -tags long -timeout 60m $(APART)
	$(GO) test -p 1 -tags long -timeout 120m -v ./e2e/...

kills: ## a piece of the 500 kills: make kills FROM=100 KILLS=100
	$(GO) test -tags long -timeout 120m -v -run Killed ./e2e/kill -args -seed $(SEED) -from $(FROM) -kills $(KILLS)

soak: ## jobs, answers and objects for HOURS; prints the slope of the server's memory
	$(GO) test -timeout 0 -v -run TestSoak ./e2e/soak -args -hours $(HOURS)

vuln: ## known vulnerabilities in what the program calls (needs a Go module proxy)
	$(GO) run ./tools/vulncheck

gen: ## everything generated, again
	$(GO) generate ./...

bench: build ## tokens a second, FLOP/s and share of the measured peak
	$(BIN) bench machine
	$(BIN) bench train
	$(BIN) bench generate

bench-peers: build ## the same beside PyTorch and llama.cpp (needs python3, node, npm)
	sh cli/bench/peers/run.sh

e2e: ## the guide's scripts, the SDK for JavaScript, the AWS CLI
	sh e2e/run.sh

parity: ## the engine against PyTorch, transformers and peft
	sh tools/parity/run.sh

clean:
	rm -rf bin out
