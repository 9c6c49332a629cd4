# Everything a developer types. Each target makes what it needs; a second call skips what is done.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SETUP := .venv/.setup
BENCH := .venv/bench/.setup
CHECKOV := .venv/checkov/.setup
WORKERS ?= 3
# Hundreds of processes would each compile their modules anew where the caller forbids Python to keep them.
export PYTHONDONTWRITEBYTECODE :=
GLUE := tests/integration/glue
OF_GOLD := $(wildcard $(GLUE)/test_*gold*.py) $(GLUE)/test_references.py
OF_BOTH := $(patsubst %,$(GLUE)/test_%.py,compaction histories replay)

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-kafka pictures test test-kpi test-silver test-gold test-slow fuzz lint types unit export notebook notebooks bench bench-full lock down clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP) ## Make the environment .venv with all requirements, Java and Spark's jars

$(SETUP): requirements.lock requirements-setup.lock pyproject.toml devcloud/notebook/kernels.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "Python 3.11 is needed (AWS Glue 5.1 runs it); name it with: make setup PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up .venv (about two minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-setup.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m devcloud.local.jars
	@$(BIN)/python -m devcloud.notebook.kernels
	@echo "Making the class archive that lets Spark start fast (once per environment)"
	@$(BIN)/python -m devcloud.local.archive
	@touch $@

demo: setup ## Bring up the local cloud, deploy, and see files flow from Bronze to Gold
	@$(BIN)/assay demo

demo-kafka: setup ## The same from a Kafka topic, with two bridges of which one is killed (fetches Kafka, 46 MB)
	@$(BIN)/python -m devcloud.kafka.jars
	@$(BIN)/assay demo --kafka

pictures: demo ## Draw the README's pictures from what the demo shows
	@$(BIN)/python -m tools.make_pictures

test: setup ## Run all checks and tests but the slowest, in three processes (WORKERS=3)
	@$(MAKE) --no-print-directory -j $(WORKERS) lint types
	@$(BIN)/python -m pytest -n $(WORKERS)

lint: setup $(CHECKOV) ## Check style, the template, and that all generated files are up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/python tools/notebook_magics.py --check
	@$(BIN)/python tools/export_notebooks.py --check
	@$(BIN)/python tools/write_contract.py --check
	@$(BIN)/cfn-lint template.yaml
	@AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint --template template.yaml > /dev/null
	@$(BIN)/python -m tools.check_security

types: setup ## Check types
	@$(BIN)/mypy

test-slow: setup ## Run the tests that take long: more orders, more kills
	@$(BIN)/python -m pytest -n $(WORKERS) -m slow

fuzz: setup ## Hold both engines to each other on random files, both layers to the model on histories (FILES=5000, HISTORIES=100)
	@ASSAY_FILES=$${FILES:-5000} $(BIN)/python -m pytest --timeout 0 -k "any_file or of_the_grammar" \
	  tests/unit/kpi/test_kpi_files.py $(GLUE)/test_engines_agree.py
	@ASSAY_HISTORIES=$${HISTORIES:-100} $(BIN)/python -m pytest --timeout 0 $(GLUE)/test_histories.py

unit: setup ## Run the fast tests alone, in as many processes as there are cores
	@$(BIN)/python -m pytest -n auto tests/unit

test-kpi: setup ## Run the tests of the KPI function and of the contract
	@$(BIN)/python -m pytest -n auto tests/unit/kpi tests/unit/contract

test-silver: setup ## Run the tests of the Silver job
	@$(BIN)/python -m pytest -n $(WORKERS) -k "not (killed and gold)" tests/unit/glue \
	  $(filter-out $(OF_GOLD) $(OF_BOTH),$(wildcard $(GLUE)/test_*.py))

test-gold: setup ## Run the tests of the Gold job
	@$(BIN)/python -m pytest -n $(WORKERS) -k "test_gold or not (killed and silver)" $(OF_GOLD) $(GLUE)/test_jobs_killed.py

export: setup ## Write all generated files: the notebooks' scripts, the contract's documents
	@$(BIN)/python tools/notebook_magics.py
	@$(BIN)/python tools/export_notebooks.py
	@$(BIN)/python tools/write_contract.py

notebook: setup ## Open the notebooks in Jupyter Lab, with local Spark and with AWS's Glue kernel
	@$(BIN)/python -m devcloud.notebook.lab

notebooks: setup ## Run the notebooks' tests: AWS's Glue kernel on a local cloud, Jupyter Lab
	@$(BIN)/python -m pytest -m "slow or not slow" tests/notebooks

bench: $(BENCH) ## Measure the pipeline in its short profile (a few minutes); docs/benchmarks.md shows it then
	@$(BIN)/python -m benchmarks short

bench-full: $(BENCH) ## Measure the pipeline with 13 million rows (hours, 24 GB of memory)
	@$(BIN)/python -m benchmarks full

# What the benchmarks compare with, and what checks the template, live apart: they want other versions of the same
# packages.
$(BENCH) $(CHECKOV): .venv/%/.setup: $(SETUP) requirements-%.lock
	@test -x .venv/$*/bin/python || $(PYTHON) -m venv --without-pip .venv/$*
	@$(BIN)/uv pip install --quiet --python .venv/$*/bin/python --require-hashes -r requirements-$*.lock
	@touch $@

lock: setup ## Resolve the requirements anew
	@$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 requirements-setup.in -o requirements-setup.lock
	@$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 --extra local pyproject.toml requirements.in -o requirements.lock
	@for name in bench checkov; do $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 requirements-$$name.in -o requirements-$$name.lock || exit; done

down: ## Stop the local cloud
	@test ! -x $(BIN)/assay || $(BIN)/assay down

clean: down ## Stop the local cloud and remove all that was made
	rm -rf .venv .assay .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
