BIN     := bin/docker-credential-acr
MAIN    := ./credential-helper/docker-credential-acr
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X github.com/docker/docker-credential-helpers/credentials.Version=$(VERSION)

.PHONY: build install demo test check cross race fuzz bench man
build:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) $(MAIN)

install:
	CGO_ENABLED=0 go install -trimpath -ldflags '$(LDFLAGS)' $(MAIN)

test: export NOT_TESTED = $(CURDIR)/bin/not-tested
test: check cross
	@mkdir -p bin && rm -f $(NOT_TESTED)
	go test -count=1 ./...
	cd test/e2e && go vet ./... && go test -count=1 ./...
	@if [ -e $(NOT_TESTED) ]; then echo "not tested, for want of:"; sort -u $(NOT_TESTED); fi

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
	for target in ParseHost:registry Parse:vault/sealed Edit:clientconfig ChassisTag:firmware; do \
		go test -fuzz Fuzz$${target%:*} -fuzztime 30s ./internal/$${target#*:} || exit 1; done

demo bench man:
	go run ./test/$@
