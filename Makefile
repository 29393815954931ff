# Every target makes .venv from the lock file first when it is missing or older than the lock.
PY := .venv/bin/python
.PHONY: setup lock test check
setup: .venv/.locked
.venv/.locked: requirements.lock
	python3 -m venv .venv
	.venv/bin/pip install -q --disable-pip-version-check 'uv>=0.13,<0.14'
	.venv/bin/uv pip sync -q --python $(PY) --require-hashes requirements.lock
	touch $@
