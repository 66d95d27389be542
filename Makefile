# `make` alone says what there is.
.PHONY: help build test bench fuzz docs

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14
	@echo 'Options of make test, such as FAST=1: see the head of tests/run.sh'

build: ## The eigenscope command, as target/release/eigenscope
	cargo build --release

test: ## Every check; FAST=1 without downloads and LAPACK
	@tests/run.sh

bench: build ## Speed, memory and agreement beside WeightWatcher 0.7.7
	python3 benches/weightwatcher.py $(ARGS)

fuzz: ## Fuzz every reader for FUZZ_SECONDS (20) each
	@FUZZ=1 STEPS=fuzz tests/run.sh

docs: ## Documentation of every crate, in target/doc
	cargo doc --workspace --no-deps
