# Railgate on one machine. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
APPS := $(patsubst %/pyproject.toml,%,$(wildcard apps/*/pyproject.toml))
# The tests to run and options for them: make test T=apps/order/tests
T ?=

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=python3.12 chooses the Python, RAILGATE_PORT=9080 the first port of make run."

##@ Run
.PHONY: run reset demo audit status
run: $(STAMPS)/runtime ## Start everything on this machine; Ctrl-C stops it
	@$(BIN)/railgate run

demo: $(STAMPS)/runtime ## Buy two tickets with curl, beside a running `make run`
	@RAILGATE=$(BIN)/railgate sh ci/demo.sh

audit: $(STAMPS)/runtime ## Prove from the databases that no seat and no money is lost
	@$(BIN)/railgate audit

status: $(STAMPS)/runtime ## Say what is running and where
	@$(BIN)/railgate status

reset: $(STAMPS)/runtime ## Throw away all data and keys of this machine's Railgate
	@$(BIN)/railgate reset

##@ Check
.PHONY: lint format test bench
lint: $(STAMPS)/checks ## Run every check that needs no running service
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(addsuffix /src,$(APPS))
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml $(addsuffix /src,$(APPS))

format: $(STAMPS)/checks ## Let ruff lay the code out and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(STAMPS)/checks ## Run all tests, or T="those"
	$(BIN)/pytest -n auto $(T)

bench: $(STAMPS)/checks ## Measure what a request costs, beside an empty one
	$(BIN)/python -m ci.bench

##@ Rush
.PHONY: load simulate
# What the load test shall do: make load OPTIONS="--users 1000 --shape smoke".
OPTIONS ?=
CHAOS ?=
SLOW ?=
load: $(STAMPS)/checks ## Rush a running `make run` with 100,000 users, and count
	@$(BIN)/python -m loadtest $(if $(CHAOS),--chaos) $(if $(SLOW),--slow) $(OPTIONS)

simulate: $(STAMPS)/checks ## Compare ways to choose seats on the real timetable
	@$(BIN)/python -m loadtest.simulation

##@ Delivery
.PHONY: manifests infrastructure diff promote rollback delivery-report
manifests: $(STAMPS)/checks ## Render every environment and check it; SCHEMAS=folder
	@$(BIN)/python -m ci.manifests

infrastructure: $(STAMPS)/checks ## Check terraform, and that gitops and code fit it; TF_PLUGINS=folder
	@$(BIN)/python -m ci.infrastructure

diff: $(STAMPS)/checks ## What the working tree would change in a cluster: ENV=prod
	@$(BIN)/python -m ci.manifests.differences --environment "$(ENV)" --against "$(or $(AGAINST),HEAD)"

promote: $(STAMPS)/checks ## Put a digest one on, on a branch: FROM=dev TO=staging SERVICE=order
	@$(BIN)/python -m ci.manifests.moving promote --from "$(FROM)" --to "$(TO)" --service "$(SERVICE)"

rollback: $(STAMPS)/checks ## Bring the digest before back, on a branch: ENV=prod SERVICE=order
	@$(BIN)/python -m ci.manifests.moving rollback --environment "$(ENV)" --service "$(SERVICE)"

delivery-report: $(STAMPS)/checks ## How often, how fast and how well changes arrive: ENV=prod DAYS=90
	@$(BIN)/python -m ci.manifests.delivery_report --environment "$(or $(ENV),prod)" \
		--days "$(or $(DAYS),90)"

##@ Installation
.PHONY: fill roles cluster-secret
fill: $(STAMPS)/checks ## Make the secrets that are missing in Secrets Manager: ENV=dev
	@$(BIN)/python -m ci.infrastructure.filling --environment "$(ENV)"

roles: $(STAMPS)/checks ## Databases and roles, for psql in the network (holds passwords): ENV=dev
	@$(BIN)/python -m ci.infrastructure.roles --environment "$(ENV)"

cluster-secret: ## What Argo CD must know of a cluster, for kubectl apply -f -: ENV=dev
	@terraform -chdir="terraform/envs/$(ENV)" output -json platform | \
		$(PYTHON) -c 'import json, sys; print(json.load(sys.stdin)["argocd_cluster"])'

##@ Pipeline
.PHONY: pipeline sonar sonar-gate
# Some gates only: make pipeline GATES="secrets bandit". BASE is the branch that the change goes to,
# ALL=1 takes everything for changed, REQUIRE names gates that must not be left out here.
GATES ?=
BASE ?=
ALL ?=
REQUIRE ?=
pipeline: $(STAMPS)/checks ## Run every gate of the pipeline that can run here; reports in build/
	@$(BIN)/python -m ci.pipeline $(GATES) $(if $(BASE),--base "$(BASE)") $(if $(ALL),--all) \
		--require "$(REQUIRE)"

sonar: $(STAMPS)/checks ## Send the analysis to SonarQube and wait for its gate
	@$(BIN)/python -m ci.pipeline sonar

sonar-gate: $(STAMPS)/checks ## Write the bars of the gate into SonarQube
	@$(BIN)/python -m ci.pipeline.sonar

##@ Images and rehearsals
.PHONY: image images image-parts image-twice compose-env rehearse e2e-cluster
ENGINE ?= podman
image: $(STAMPS)/checks ## Build one image as railgate/order:local: SERVICE=order
	@$(BIN)/python -m ci.images build --engine "$(ENGINE)" $(SERVICE)

images: $(STAMPS)/checks ## Build the images of all services and try them for real
	@$(BIN)/python -m ci.images check --engine "$(ENGINE)"

image-parts: $(STAMPS)/checks ## List what an image is made of, in build/: SERVICE=order
	@$(BIN)/python -m ci.images parts --engine "$(ENGINE)" "$(or $(SERVICE),order)"

image-twice: $(STAMPS)/checks ## Build one image twice, and see that it is the same: SERVICE=order
	@$(BIN)/python -m ci.images twice --engine "$(ENGINE)" "$(or $(SERVICE),order)"

compose-env: $(STAMPS)/runtime ## Make the secrets of compose.yaml, once
	@$(BIN)/python -m ci.images.composing

rehearse: $(STAMPS)/checks ## Switch two versions back and forth under load: SERVICE=order, all
	@$(BIN)/python -m ci.rehearsal --service "$(or $(SERVICE),order)" $(OPTIONS)

e2e-cluster: $(STAMPS)/checks ## Release for real in the cluster of KUBECONFIG
	@$(BIN)/python -m ci.rehearsal.cluster $(OPTIONS)

##@ Set-up
.PHONY: install lock clean
install: $(STAMPS)/checks ## Make the virtual environment with all tools

lock: $(STAMPS)/checks ## Write the hash-locked requirements anew from the .in files
	$(BIN)/uv pip compile $(LOCK_OPTIONS) apps/requirements.in -o apps/requirements.txt
	$(BIN)/uv pip compile $(LOCK_OPTIONS) ci/requirements.in -o ci/requirements.txt

clean: ## Remove the virtual environment and the tools' caches
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --quiet

$(STAMPS)/python:
	@$(PYTHON) ci/check_python.py
	@echo "Making the virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: $(STAMPS)/python apps/requirements.txt $(wildcard apps/*/pyproject.toml)
	@echo "Installing what Railgate needs (half a minute the first time) ..."
	@$(PIP) install --require-hashes -r apps/requirements.txt
	@$(PIP) install --no-deps --no-build-isolation $(addprefix -e ./,$(APPS))
	@touch $@

$(STAMPS)/checks: $(STAMPS)/runtime ci/requirements.txt
	@echo "Installing what the checks and tests need ..."
	@$(PIP) install --require-hashes -r ci/requirements.txt
	@touch $@
