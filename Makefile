# Two commands do all set-up: `make demo` and `make test`. The environment lives in
# .venv, or where VENV says; several checkouts may share one.

VENV ?= .venv
PYTHON ?= python3
PREFIX ?= /opt/lumbar-node
bin := $(VENV)/bin
tools := $(abspath .venv-tools)/bin
TOOLS := $(tools)/.lumbar-node-tools
as_root := $(if $(filter 0,$(shell id -u)),,sudo -n)
PEERS := orthanc dcmtk dicom3tools poppler-utils postgresql fuse3 openssl

.PHONY: demo test check peers environment development install constraints audit sbom clean

demo: environment ## The main job on a real study: PACS -> node -> PACS
	$(bin)/lumbar-node demo

test: development peers ## Everything that is checked, against real peers
	PATH="$(abspath $(bin)):$$PATH" scripts/check

check: development ## As `test`, without trying to install peers
	PATH="$(abspath $(bin)):$$PATH" scripts/check

# An installed environment is newer than what it was installed from. The stamp
# names the checkout, because an environment that several share points at one.
stamp = $(bin)/.lumbar-node-$(1)-$(subst /,_,$(CURDIR))

environment: $(call stamp,service)
development: $(call stamp,development)

$(call stamp,service): pyproject.toml | $(bin)/python
	$(bin)/pip install --quiet --editable .
	@rm -f $(bin)/.lumbar-node-service-* && touch $@

$(call stamp,development): pyproject.toml | $(bin)/python
	$(bin)/pip install --quiet --editable '.[train,eval,serve-onnx,dev]'
	@rm -f $(bin)/.lumbar-node-*-* && touch $@ $(call stamp,service)

$(bin)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
	  { echo "venv is missing: apt-get install python3-venv"; exit 1; }

# Where we may not install, the tests that need a peer say so and are skipped;
# REQUIRE_PEERS=1 turns a skip into a failure.
peers:
	@(for one in Orthanc storescu dciodvfy pdftotext openssl fusermount3; do \
	  command -v $$one || exit 1; done; ls /usr/lib/postgresql/*/bin/initdb) >/dev/null 2>&1 || { $(as_root) apt-get update -qq && \
	  $(as_root) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	  --no-install-recommends $(PEERS) >/dev/null; } || \
	  echo "peers were not installed ($(PEERS)); tests that need them are skipped"

# A list of what an installation consists of, for whoever has to tell whether a newly
# found weakness concerns it. OF names the environment to look at.
OF ?= $(bin)/python
SBOM ?= sbom.json

sbom: $(TOOLS) ## A bill of materials, CycloneDX 1.6, without asking anybody
	$(tools)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
	  --spec-version 1.6 --output-reproducible --output-file $(SBOM) $(OF)
	@echo "$(SBOM) lists what $(OF) can import"

audit: $(TOOLS) ## Known weaknesses of what is installed; asks the internet
	$(OF) -m pip freeze --exclude-editable --exclude lumbar-node >$(TOOLS).freeze
	$(tools)/pip-audit --strict --no-deps --disable-pip --requirement $(TOOLS).freeze

# Tools that look at an environment must not be in it.
$(TOOLS):
	$(PYTHON) -m venv $(tools:/bin=)
	$(tools)/pip install --quiet 'cyclonedx-bom>=7' 'pip-audit>=2.9'
	@touch $@

# Demo and tests take what the ranges of pyproject.toml admit, so that they tell what a
# newer library breaks; a hospital gets the versions that were tested together.
constraints: development ## Pin what `make install` installs, after `make check` has passed
	$(bin)/python scripts/constraints.py >constraints.txt.new
	mv constraints.txt.new constraints.txt

install: ## Put the service on this machine (as root); see docs/operations.md
	id -u lumbar-node >/dev/null 2>&1 || \
	  useradd --system --home-dir /var/lib/lumbar-node --shell /usr/sbin/nologin lumbar-node
	install -d -m 755 $(PREFIX)
	install -d -o lumbar-node -g lumbar-node -m 700 /var/lib/lumbar-node
	install -d -o root -g lumbar-node -m 750 /etc/lumbar-node
	test -x $(PREFIX)/venv/bin/python || $(PYTHON) -m venv $(PREFIX)/venv
	$(PREFIX)/venv/bin/pip install --quiet --upgrade --constraint constraints.txt .
	test -e /etc/lumbar-node/config.toml || \
	  install -o root -g lumbar-node -m 640 config.toml /etc/lumbar-node/config.toml
	install -m 644 systemd/lumbar-node-receiver.service systemd/lumbar-node-worker.service \
	  /etc/systemd/system/
	install -d -m 755 $(PREFIX)/share/doc
	install -m 644 docs/*.md $(PREFIX)/share/doc/
	systemctl daemon-reload
	@echo "edit /etc/lumbar-node/config.toml, then follow docs/operations.md"

clean:
	rm -rf build dist sbom.json .venv-tools demo-output *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
