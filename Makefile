# Short names for the commands that CI runs; see .ci/run.
.PHONY: all test race lint fuzz mod demo bench microbench

all: ; ./.ci/run
test: ; go test work
race: ; go test -race work
lint: ; ./.ci/run vet format lint
fuzz: ; ./.ci/run fuzz
mod: ; ./.ci/run mod
demo: ; go run ./cmd/mettle demo
bench: ; go run ./bench
microbench: ; go test -run='^$$' -bench=. -benchmem work
