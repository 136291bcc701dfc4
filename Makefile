BIN     := bin/docker-credential-acr
MAIN    := ./credential-helper/docker-credential-acr
# A release sets VERSION. In a checkout the go command finds the version, in a source archive .version has it.
VERSION ?= $(firstword $(shell grep -v Format: .version))
LDFLAGS := -s -w $(VERSION:%=-X github.com/docker-credential-acr/docker-credential-acr/internal/cli.version=%)
# The program needs no C library; -buildvcs may be off in GOFLAGS.
GOBUILD := -trimpath -buildvcs=true -ldflags '$(LDFLAGS)'

# Files of a release have the date of its commit.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)

.PHONY: build install demo test test-short check cross race fuzz bench man figures audit
.PHONY: test-386 windows-e2e windows-smoke arm64-e2e
.PHONY: kubelet-test kubelet-e2e dist dist-test sign image pages completions third-party changelog
build:
	CGO_ENABLED=0 go build $(GOBUILD) -o $(BIN) $(MAIN)

install:
	CGO_ENABLED=0 go install $(GOBUILD) $(MAIN)

test: export NOT_TESTED = $(CURDIR)/bin/not-tested
test: check cross
	@mkdir -p bin && rm -f $(NOT_TESTED)
	go test -count=1 ./...
	cd test/e2e && go vet ./... && go test -count=1 ./...
	cd test/dist && go vet ./... && go test -count=1 -timeout 40m ./...
	@if [ -e $(NOT_TESTED) ]; then echo "not tested, because a program is missing:"; sort -u $(NOT_TESTED); fi

# kubelet's own code with the program. It takes minutes to compile, so it is not part of test.
kubelet-test:
	cd test/kubelet && go vet ./... && go test -count=1 ./...

# A real kubelet with Debian's containerd, in a network of its own. It needs root, and takes ten
# minutes when it is run for the first time.
kubelet-e2e:
	@mkdir -p bin/debian
	cd test/kubelet && CGO_ENABLED=0 go build -ldflags='-s -w' -o $(CURDIR)/bin/kubelet k8s.io/kubernetes/cmd/kubelet
	cd bin/debian && apt-get download containerd runc && for package in *.deb; do dpkg -x $$package . && rm $$package; done
	cd test/kubelet && KUBELET_PROGRAM=$(CURDIR)/bin/kubelet KUBELET_DEBIAN=$(CURDIR)/bin/debian \
		go test -count=1 -tags kubelet_e2e -run TestNode ./...

# A 32-bit process on a 64-bit kernel.
test-386:
	GOARCH=386 CGO_ENABLED=0 go test -short ./...

# Tests for Windows under Wine, as root on Debian; see test/wine/README.md.
windows-e2e:
	test/wine/run.sh
windows-smoke:
	test/wine/run.sh smoke

# Tests for another processor under QEMU.
arm64-e2e:
	test/qemu.sh

# Without what takes long: sleeps, many processes, other programs.
test-short:
	go test -short ./...

check:
	go vet ./...
	test -z "$$(go run mvdan.cc/gofumpt@v0.12.0 -l . | tee /dev/stderr)"
	GOBIN='$(CURDIR)/bin/tools' go install honnef.co/go/tools/cmd/staticcheck@v0.8.2
	for system in linux windows darwin; do GOOS=$$system bin/tools/staticcheck ./... || exit 1; done
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

cross:
	for target in windows/amd64 windows/arm64 darwin/arm64 freebsd/amd64 linux/arm64; do \
		echo "build and vet $$target" && GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 sh -c 'go build ./... && go vet ./...' || exit 1; done

# test/terminal runs thousands of programs that have no goroutines of their own. By default a
# program sleeps a second at its end.
race:
	GORACE=atexit_sleep_ms=10 go test -race -timeout 30m $$(go list ./... | grep -v /test/terminal)

fuzz:
	for target in ParseHost:registry Parse:vault/keyspace SetHelper:dockerconfig/edit ChassisTag:azurevm; do \
		go test -fuzz Fuzz$${target%:*} -fuzztime 30s ./internal/$${target#*:} || exit 1; done

demo bench man figures:
	go run ./test/$@

# What comes with the program from elsewhere: are the modules those of go.sum, is each linked
# on purpose (test/linked.txt), which licenses have they, is Go's release the newest, and are
# vulnerabilities known. GOVULNDB names another database, for example a copy (file:///…).
GOVULNDB ?= https://vuln.go.dev
audit:
	go mod verify
	go mod tidy -diff
	go test -count=1 -run TestLinked -v ./test
	@mkdir -p bin && $(MAKE) --no-print-directory third-party
	@grep -E '^[^ ].* (v|go)[0-9][^ ]* \(.*\)$$' bin/third-party-licenses.txt
	@for file in go.mod test/*/go.mod; do \
		used=$$(sed -n 's/^toolchain go//p' $$file) && newest=$$(go list -m -f '{{.Version}}' go@$${used%.*}) || exit 1; \
		echo "$$file: go$$used"; test "$$used" = "$$newest" || { echo "$$file: the newest release is go$$newest" >&2; exit 1; }; done
	GOBIN='$(CURDIR)/bin/tools' go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
	@for system in linux windows darwin; do \
		GOOS=$$system CGO_ENABLED=0 bin/tools/govulncheck -db '$(GOVULNDB)' ./credential-helper/... 2>bin/govulncheck.err && continue; \
		cat bin/govulncheck.err >&2; grep -q '^govulncheck: fetching' bin/govulncheck.err || exit 1; \
		echo 'VULNERABILITIES WERE NOT CHECKED: $(GOVULNDB) could not be reached' >&2; break; done

# What a release consists of, in dist/; .goreleaser.yaml says what that is. A tagged commit
# makes a release, any other a snapshot. Once the tools are there, it needs no network. One target
# is built after the other, because winget's manifest has them in the order in which they end.
GORELEASER := bin/tools/goreleaser-v2.14.3
dist: $(GORELEASER)
	cd test/dist && GOBIN='$(CURDIR)/bin/tools' go install tool
	PATH="$(CURDIR)/bin/tools:$$PATH" $(GORELEASER) release --clean --parallelism 1 --skip=publish,announce \
		$(shell git describe --exact-match --tags >/dev/null 2>&1 || echo --snapshot)
	sed -i.bak 's/^ReleaseDate: .*/ReleaseDate: $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%F)/' \
		$$(find dist/winget -name '*.installer.yaml') # otherwise the day on which it was built
	find dist/winget -name '*.bak' -delete

# No later version: v2.15.1 changes SHA256SUMS after it was signed.
$(GORELEASER):
	GOBIN='$(CURDIR)/bin/tools' go install github.com/goreleaser/goreleaser/v2@$(GORELEASER:bin/tools/goreleaser-%=%)
	mv bin/tools/goreleaser $@

# Tests a release with all its targets; make test has two of them.
dist-test:
	cd test/dist && TARGETS=all go test -count=1 -timeout 90m -v ./...

# Signs dist/SHA256SUMS with the secret key in KEY. The signature names the file.
sign:
	cd test/dist && go tool minisign -S -s '$(abspath $(KEY))' -m ../../dist/SHA256SUMS -x ../../dist/SHA256SUMS.minisig

# The image, from dist/. IMAGE is its name. One platform after the other, so that their order is always the same.
IMAGE ?= localhost/docker-credential-acr
image: image-files
	for arch in amd64 arm64; do \
		buildah build --quiet --platform linux/$$arch --timestamp $(SOURCE_DATE_EPOCH) --manifest $(IMAGE) \
			$(LABELS:%=--label %) --file .github/image/Dockerfile bin/image || exit 1; done

# What the image is built from: bin/image, and its labels.
.PHONY: image-files
image-files:
	rm -rf bin/image
	for arch in amd64 arm64; do mkdir -p bin/image/linux_$$arch && \
		install -m 755 dist/docker-credential-acr_linux_$${arch}_*/docker-credential-acr bin/image/linux_$$arch/ || exit 1; done
REPOSITORY := https://github.com/docker-credential-acr/docker-credential-acr
LABELS = $(addprefix org.opencontainers.image.,title=docker-credential-acr licenses=MIT source=$(REPOSITORY) \
	revision=$(shell git rev-parse HEAD) version=$(shell sed -n 's/.*"version":"\([^"]*\)".*/\1/p' dist/metadata.json))

# The parts of packages that are not programs.
pages:
	rm -rf bin/man
	go run ./test/man
	gzip -9nk bin/man/*.1

completions: build
	rm -rf bin/completions && mkdir -p bin/completions
	$(BIN) completion bash >bin/completions/docker-credential-acr.bash
	$(BIN) completion fish >bin/completions/docker-credential-acr.fish
	$(BIN) completion zsh >bin/completions/_docker-credential-acr

third-party:
	cd test/dist && go run ./licenses >../../bin/third-party-licenses.txt

# The release notes are the version's section of CHANGELOG.md. Debian's packages refer to them.
changelog:
	awk -v v='$(or $(filter-out %-next,$(VERSION)),Unreleased)' '/^## / {on = $$2 == v; next} on' CHANGELOG.md >bin/notes.md
	@test -s bin/notes.md || { echo 'CHANGELOG.md has no section "## $(VERSION)"' >&2; exit 1; }
	@printf -- '- semver: %s-1\n  date: %s\n  packager: %s\n  deb: {urgency: medium, distributions: [unstable]}\n  changes: [{note: "See %s"}]\n' \
		'$(VERSION:v%=%)' \
		"$$(date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%TZ)" \
		'docker-credential-acr authors <docker-credential-acr@users.noreply.github.com>' \
		'$(REPOSITORY)/blob/$(VERSION)/CHANGELOG.md' >bin/changelog.yaml
