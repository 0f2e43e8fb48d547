# make demo   a recorded evening through the door (SOURCE=microphone: live), in an environment of its own
# make test   style, types and all tests, in an environment of their own
PYTHON ?= python3
SOURCE ?= wav
PIP = -m pip install --quiet --disable-pip-version-check
export OPENBLAS_NUM_THREADS = 1

.PHONY: demo test lint test-second-runtime clean

demo: .venv/ready
	.venv/bin/python -m device demo --source $(SOURCE)

test: lint test-second-runtime
	.venv-test/bin/python -m pytest

lint: .venv-test/ready
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy

# tflite-runtime has wheels up to Python 3.11 only; elsewhere there is nothing to test.
test-second-runtime:
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		$(MAKE) --no-print-directory .venv-tflite/ready && .venv-tflite/bin/python -m pytest -q tests/parity; \
	else echo "second runtime: skipped, tflite-runtime needs Python 3.11"; fi

.venv/ready: requirements-device.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) -r requirements-device.txt
	touch $@

.venv-test/ready: $(wildcard requirements-*.txt)
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/python $(PIP) -r requirements-test.txt
	touch $@

.venv-tflite/ready: requirements-device.txt
	$(PYTHON) -m venv .venv-tflite
	.venv-tflite/bin/python $(PIP) tflite-runtime==2.14.0 'numpy<2' webrtcvad-wheels soxr pytest
	touch $@

clean:
	rm -rf .venv .venv-test .venv-tflite .pytest_cache .mypy_cache .ruff_cache
