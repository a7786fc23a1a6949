#!/bin/sh
# Compares Outcrop with transformers and torch (docs/parity.md). Installs them, pinned, into
# out/parity on the first run: half a gigabyte, half a minute. Needs go, and python3 with
# venv and pip; nothing is fetched but packages.
#
#	tools/parity/run.sh [--case NAME]...
#
# PARITY_PYTHON names a python that has the packages of requirements.txt already.
set -eu
cd "$(dirname "$0")/../.."
out=out/parity
mkdir -p "$out"
# Models come from this machine, whatever their names are.
export HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 PYTHONDONTWRITEBYTECODE=1

python=${PARITY_PYTHON:-}
if [ -z "$python" ]; then
	python=$out/venv/bin/python
	if ! cmp -s tools/parity/requirements.txt "$out/venv/requirements.txt"; then
		python3 -m venv --clear "$out/venv"
		"$python" -m pip install -q --disable-pip-version-check --no-deps -r tools/parity/requirements.txt
		"$python" tools/parity/nocuda.py "$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')"
		cp tools/parity/requirements.txt "$out/venv/requirements.txt"
	fi
fi

export CGO_ENABLED=0
go build -trimpath -o bin/outcrop ./cmd/outcrop
go build -o "$out/engine" ./tools/parity
"$python" -W ignore::FutureWarning tools/parity/parity.py "$out/cases" "$out/engine" bin/outcrop "$@"

[ $# -eq 0 ] || exit 0

# Tokenizers: Hugging Face's beside ours, on random texts. Theirs panic now and then, at length.
RUST_BACKTRACE=0 "$python" tools/parity/tokenizer_kinds.py

# Chat templates: what the Go tests compare with is still what transformers makes.
golden() { find format/chattemplate -name '*.json' -exec cksum {} + | sort; }
before=$(golden)
"$python" tools/parity/templates.py
if [ "$(golden)" != "$before" ]; then
	echo "golden files of format/chattemplate were not what transformers makes; they have been rewritten" >&2
	exit 1
fi
