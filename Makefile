BIN     := bin/docker-credential-acr
MAIN    := ./credential-helper/docker-credential-acr
# A release sets VERSION. In a checkout the go command finds the version, in a source archive .version has it.
VERSION ?= $(firstword $(shell grep -v Format: .version))
LDFLAGS := -s -w $(VERSION:%=-X github.com/docker-credential-acr/docker-credential-acr/internal/cli.version=%)
# The program needs no C library; -buildvcs may be off in GOFLAGS.
GOBUILD := -trimpath -buildvcs=true -ldflags '$(LDFLAGS)'

.PHONY: build install demo test test-short check cross race fuzz bench man figures
build:
	CGO_ENABLED=0 go build $(GOBUILD) -o $(BIN) $(MAIN)

install:
	CGO_ENABLED=0 go install $(GOBUILD) $(MAIN)

test: export NOT_TESTED = $(CURDIR)/bin/not-tested
test: check cross
	@mkdir -p bin && rm -f $(NOT_TESTED)
	go test -count=1 ./...
	cd test/e2e && go vet ./... && go test -count=1 ./...
	@if [ -e $(NOT_TESTED) ]; then echo "not tested, for want of:"; sort -u $(NOT_TESTED); fi

# Without what takes long: sleeps, many processes, other programs.
test-short:
	go test -short ./...

check:
	go vet ./...
	test -z "$$(go run mvdan.cc/gofumpt@v0.12.0 -l . | tee /dev/stderr)"
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

cross:
	for target in windows/amd64 windows/arm64 darwin/arm64 freebsd/amd64 linux/arm64; do \
		echo "build and vet $$target" && GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 sh -c 'go build ./... && go vet ./...' || exit 1; done

race:
	go test -race ./...

fuzz:
	for target in ParseHost:registry Parse:vault/keyspace SetHelper:dockerconfig/edit ChassisTag:azurevm; do \
		go test -fuzz Fuzz$${target%:*} -fuzztime 30s ./internal/$${target#*:} || exit 1; done

demo bench man figures:
	go run ./test/$@
