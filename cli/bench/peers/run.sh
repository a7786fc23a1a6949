#!/bin/sh
# Installs PyTorch and llama.cpp, pinned, into out/peers on the first run (some GB), and
# compares Outcrop with them: see compare.py, to which all arguments go.
set -eu
cd "$(dirname "$0")/../../.."
tools=out/peers
mkdir -p "$tools/node"
[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install -q --disable-pip-version-check -r cli/bench/peers/requirements.txt
if [ ! -d "$tools/node/node_modules/node-llama-cpp" ]; then
	cp cli/bench/peers/package.json "$tools/node/"
	(cd "$tools/node" && npm install --no-audit --no-fund --loglevel=error)
fi
cp cli/bench/peers/llama_peer.mjs "$tools/node/"
for kind in bf16 q8_0; do
	[ -f "$tools/b-$kind.gguf" ] || "$tools/venv/bin/python" cli/bench/peers/gguf.py "$tools/b-$kind.gguf" b "$kind"
done
exec "$tools/venv/bin/python" cli/bench/peers/compare.py "$@"
