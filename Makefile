# Works with BSD make and GNU make. "make help" lists the targets.

GO ?= go
VERSION != git describe --tags --dirty 2>/dev/null || echo 0.1.0-dev
COMMIT != git rev-parse --short HEAD 2>/dev/null || echo unknown
LDFLAGS = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
GOFUMPT = mvdan.cc/gofumpt@v0.9.2
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.7.0
# Not ./cmd/...: below it are tools for the making of packages.
PROGRAMS = ./cmd/ocitar ./cmd/xc ./cmd/xc-shim ./cmd/xcd
PORT = cmd/xcd/freebsd/port
PLATFORMS = linux/amd64 linux/arm64 freebsd/amd64 freebsd/arm64

help:
	@echo "make build        the programs for this machine, in ./bin"
	@echo "make demo         see containers run through a stock docker CLI (as root, on Linux)"
	@echo "make test         every test; what needs root or a missing tool says so and is skipped"
	@echo "make check        formatting, vet and staticcheck for linux and freebsd, the import rule, all cross builds"
	@echo "make integration  the black-box tests alone"
	@echo "make clients      brings the stock clients that more tests run: docker 28 and 29, Compose 1, 2 and 5, SDKs for Go, Node and Python"
	@echo "make bench        times beside another engine: make bench PEER=unix:///path/to/docker.sock"
	@echo "make dist         the release's tarball, and of it the programs for every platform, manual pages and completions, in ./dist"
	@echo "make package      packages for FreeBSD's pkg(8) of these, in ./dist"
	@echo "make fmt clean"

build:
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/ $(PROGRAMS)

demo: build
	sh integration/demo/demo.sh

test:
	$(GO) test -timeout 20m ./...

integration:
	$(GO) test -timeout 20m -count=1 -v ./integration/...

clients:
	GO="$(GO)" sh integration/clients/build

bench: build
	$(GO) run ./integration/bench -xcd bin/xcd -peer "$(PEER)"

check:
	sh .ci/check $(GOFUMPT) $(STATICCHECK) $(PLATFORMS)

dist:
	sh .ci/dist "$(VERSION)" "$(LDFLAGS)" "$(PROGRAMS)" $(PLATFORMS)

package: dist
	@for arch in amd64 arm64; do \
		$(GO) run ./cmd/xcd/freebsd/mkpkg -port $(PORT) -programs dist/freebsd/$$arch -share dist/share -version $(VERSION) -arch $$arch \
			-o dist/xc-$(VERSION)-freebsd-$$arch.pkg || exit 1; \
	done

fmt:
	$(GO) run $(GOFUMPT) -w .

clean:
	rm -rf bin dist

.PHONY: help build demo test integration clients bench check dist package fmt clean
