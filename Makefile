# The two commands: `make run` does the main job, `make test` runs all tests. Each sets up what it needs.
OUT ?= out/quickstart
PYTHON ?=
export PYTHON

.PHONY: help run test lint docs setup blender clean

help:  ## these lines
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 16

run:  ## set up, mill the quickstart dataset, train on it, write the report (OUT=out/quickstart)
	@deploy/setup.sh run
	@.venv/bin/versemill run quickstart --out $(OUT)
	@.venv/bin/versemill validate $(OUT)
	@.venv/bin/versemill report $(OUT)

test:  ## set up (Blender's module too), lint, build the wheel, and run every test against it from another folder
	@deploy/setup.sh test
	@deploy/test.sh

lint:  ## ruff, mypy, the layer check
	@deploy/setup.sh test
	@deploy/test.sh lint

docs:  ## the documentation site, into build/docs
	@deploy/setup.sh test
	@.venv/bin/mkdocs build --strict

setup:  ## only the virtual environment
	@deploy/setup.sh test

blender:  ## Blender's Python module for the Cycles engine, in an environment of its own (.venv-blender)
	@deploy/blender.sh

clean:  ## remove what was built; datasets and environments stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
