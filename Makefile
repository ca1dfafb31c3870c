# make help lists what there is. Needs Go and, to install what else is missing, apt.

GO      ?= go
BIN     := bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# The metrics library that raft, memberlist and the log store share is chosen by this tag (docs/adr/0002).
export GOFLAGS := $(strip $(filter-out -tags=% -buildvcs=%,$(GOFLAGS)) -tags=hashicorpmetrics -buildvcs=false)

# Tools and images are kept outside the repository.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/loggia
export LOGGIA_TOOLS  := $(or $(LOGGIA_TOOLS),$(CACHE)/tools/bin)
export LOGGIA_IMAGES := $(or $(LOGGIA_IMAGES),$(CACHE)/images)
LOGGIA_BIN := $(CURDIR)/$(BIN)/loggia

# Figures and JSON of the benches; ARGS passes flags to them (make bench-fanout ARGS='-mib 64').
BENCH_OUT ?= $(CURDIR)/$(BIN)/bench
ARGS      ?=

STATICCHECK_VERSION := v0.8.2
STATICCHECK := $(LOGGIA_TOOLS)/staticcheck-$(STATICCHECK_VERSION)

FUZZTIME  ?= 10s
FUZZTOTAL ?= 6m
FUZZSEED  ?=

.PHONY: help build test test-clients demo bench bench-peers bench-fanout bench-longpipe bench-nightly bench-memory lint fuzz faults faults-ci faults-sources pace tools clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

build: ## bin/loggia
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o $(BIN)/ ./cmd/loggia

test: ## all tests with the race detector, on the filesystem and on real S3 servers
	@scripts/setup.sh test
	@$(GO) run ./scripts/s3install
	@$(GO) build -o $(BIN)/testreport ./scripts/testreport
	@env -u LOGGIA_IMAGES $(GO) test -race -json -timeout 20m ./... 2>&1 | $(BIN)/testreport

test-clients: build ## Azure's own clients (CLI, Python, Go, JavaScript), unmodified, against three regions
	@scripts/setup.sh test clients
	@scripts/clients.sh $(CACHE)/clients
	@LOGGIA_GOSDK=$(CACHE)/clients/gosdk PATH=$(CACHE)/clients/npm/node_modules/.bin:$$PATH NODE_PATH=$(CACHE)/clients/npm/node_modules $(GO) test -tags=hashicorpmetrics,clients -count=1 -v -timeout 20m -run '^TestClients$$' ./testing/e2e

demo: build ## publish, replicate, lose a region, pull: three daemons and real images
	@scripts/setup.sh demo
	@scripts/images.sh - v1 v2
	@$(GO) run ./testing/demo -loggia $(LOGGIA_BIN) -images $(LOGGIA_IMAGES) -store $(or $(LOGGIA_STORE),filesystem)

bench: build ## throughput beside zstd and a plain copy
	@scripts/setup.sh demo
	@scripts/images.sh - v1 v2 v2b sparse
	@$(GO) run ./testing/bench -loggia $(LOGGIA_BIN) -images $(LOGGIA_IMAGES)
	@$(GO) run ./testing/armbench -loggia $(LOGGIA_BIN)
	$(GO) test -run '^$$' -bench . -benchmem ./transfer/...

bench-peers: build ## Loggia beside zstd, restic, kopia, desync, mc, rclone, aws and casync, and its goals (STORE=minio, versitygw or filesystem)
	@scripts/setup.sh demo peers
	@$(GO) run ./scripts/s3install
	@$(GO) run ./testing/peers -install
	@scripts/images.sh - v1 v2 v2b rand sparse
	@$(GO) run ./testing/peers -loggia $(LOGGIA_BIN) -images $(LOGGIA_IMAGES) -out $(BENCH_OUT)/peers -store $(or $(STORE),minio) $(ARGS)

bench-fanout: build ## one origin, four regions, equal lines: what the origin sends, when the last is done (ARGS: flags)
	@scripts/setup.sh demo
	@$(GO) run ./testing/fanout -loggia $(LOGGIA_BIN) -out $(BENCH_OUT)/fanout $(ARGS)

bench-longpipe: build ## one replication over 200 ms and 1 Gbit/s, and of the real images over 20 ms
	@scripts/setup.sh demo
	@scripts/images.sh - v1 v2
	@$(GO) run ./testing/longpipe -loggia $(LOGGIA_BIN) -images $(LOGGIA_IMAGES) -out $(BENCH_OUT)/longpipe $(ARGS)

bench-nightly: build ## a hundred nightly versions, seven kept: what the store holds, is asked and takes (STORE as above)
	@scripts/setup.sh demo
	@scripts/images.sh - v1 v2
	@$(GO) run ./testing/nightly -loggia $(LOGGIA_BIN) -images $(LOGGIA_IMAGES) -out $(BENCH_OUT)/nightly -store $(or $(STORE),filesystem) $(ARGS)

bench-memory: build ## peak memory of command and nodes over disks of 1, 4 and 20 GiB and 1 TiB
	@scripts/setup.sh demo
	@$(GO) run ./testing/memory -loggia $(LOGGIA_BIN) -out $(BENCH_OUT)/memory $(ARGS)

faults: build ## kill and cut things, many times each
	@scripts/setup.sh demo
	@$(GO) run ./testing/faultlab -loggia $(LOGGIA_BIN) -images $(LOGGIA_IMAGES)

faults-ci: build ## each kind of fault once
	@scripts/setup.sh demo
	@$(GO) run ./testing/faultlab -loggia $(LOGGIA_BIN) -images $(LOGGIA_IMAGES) -once

faults-sources: build ## kill -9 of a source and of the target of a copy that has two sources
	@scripts/setup.sh demo
	@$(GO) run ./testing/faultlab -loggia $(LOGGIA_BIN) -only many-source,many-target $(ARGS)

pace: build ## limits between regions against the kernel's counters, without and with distance (needs root)
	@$(GO) run ./testing/pacelab -loggia $(LOGGIA_BIN)
	@$(GO) run ./testing/pacelab -loggia $(LOGGIA_BIN) -rtt 20ms

lint: $(STATICCHECK) ## gofmt, vet, staticcheck, and the rules of the house
	@bad=$$(gofmt -l .); test -z "$$bad" || { echo "gofmt would change:"; echo "$$bad"; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) test -count=1 ./testing/imports
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/loggia

tools: $(STATICCHECK) ## install staticcheck and the S3 servers of the tests, which lint and test do too
	@$(GO) run ./scripts/s3install

$(STATICCHECK):
	@echo "installing staticcheck $(STATICCHECK_VERSION) into $(LOGGIA_TOOLS)"
	@mkdir -p $(LOGGIA_TOOLS)
	@cd $(LOGGIA_TOOLS) && GOFLAGS= GOBIN=$(LOGGIA_TOOLS) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv $(LOGGIA_TOOLS)/staticcheck $@

fuzz: ## the fuzz targets whose turn it is today (FUZZTIME each, FUZZTOTAL together; FUZZSEED: a date)
	@$(GO) run ./scripts/fuzz -time $(FUZZTIME) -total $(FUZZTOTAL) -seed "$(FUZZSEED)"

clean: ## remove what was built here
	rm -rf $(BIN)
