#!/bin/sh
# Runs real clients against a real server: the guide's Python blocks verbatim with boto3, the
# AWS SDK for JavaScript, and the AWS CLI; and llama.cpp on the exported model. Installs them,
# pinned, into out/e2e on the first run. Everything talks to 127.0.0.1 only, with keys that are good for nothing else.
#
#	e2e/run.sh [GUIDE.md]      needs go, python3, node and npm
#
# The guide's scripts train on the first E2E_ROWS (1000) rows of E2E_TRAIN and validate on
# E2E_VALIDATION; both are the sample data if not set.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
guide=${1:-$root/../shared/guide.md}
tools=$root/out/e2e
mkdir -p "$tools"
work=$(mktemp -d)
server=
finish() {
	status=$?
	if [ -n "$server" ]; then kill "$server" && wait "$server" || true; fi
	if [ $status -ne 0 ]; then tail -n 50 "$work/serve.log" >&2 || true; fi
	rm -rf "$work"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n=== %s\n' "$*"; }

say "clients"
[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install -q --disable-pip-version-check -r e2e/requirements.txt
mkdir -p "$tools/js"
cp e2e/js/package.json e2e/js/package-lock.json e2e/js/sdk.mjs "$tools/js/"
(cd "$tools/js" && npm ci --no-audit --no-fund --loglevel=error)
PATH=$tools/venv/bin:$PATH

say "service models"
python tools/conform/botocore_diff.py

say "server"
CGO_ENABLED=0 go build -o bin/outcrop ./cmd/outcrop
unset AWS_PROFILE AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_CA_BUNDLE
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
bin/outcrop serve --data "$work/data" --listen 127.0.0.1:0 >"$work/serve.log" 2>&1 &
server=$!
tries=0
until bin/outcrop models list --data "$work/data" 2>"$work/models.err"; do
	tries=$((tries + 1))
	[ $tries -lt 120 ] || { cat "$work/models.err" >&2; exit 1; }
	sleep 0.5
done
eval "$(bin/outcrop env --data "$work/data")"
bin/outcrop demo --extract "$work/notes"

if [ -f "$guide" ]; then
	say "the guide's Python blocks, with boto3"
	python e2e/guide.py "$guide" --rows "${E2E_ROWS:-1000}" --validation-rows 100 \
		--train "${E2E_TRAIN:-$work/notes/train.jsonl}" --validation "${E2E_VALIDATION:-$work/notes/validation.jsonl}"
	model=medical-summarization-prod
	files=medical-summarization-model
else
	say "SKIPPED: the guide's Python blocks: there is no $guide"
	model=outcrop.pebble-v1
	files=$model
fi

say "AWS SDK for JavaScript"
node "$tools/js/sdk.mjs" "$model"

say "AWS CLI"
sh e2e/aws_cli.sh "$model"

say "llama.cpp"
if [ "$(uname -sm)" = "Linux x86_64" ]; then
	mkdir -p "$tools/gguf"
	cp e2e/gguf/package.json e2e/gguf/package-lock.json e2e/gguf/greedy.mjs "$tools/gguf/"
	# Not npm ci: the registry may lack the libraries of other systems, which the lock file names.
	(cd "$tools/gguf" && NODE_LLAMA_CPP_SKIP_DOWNLOAD=true npm install --omit=optional --no-audit --no-fund --loglevel=error)
	if [ "$files" = outcrop.pebble-v1 ]; then
		# The base model is often torn between two tokens, where rounding decides; a tuned one is not.
		head -n 600 "$work/notes/train.jsonl" >"$work/some.jsonl"
		bin/outcrop jobs create --name gguf --train "$work/some.jsonl" --epochs 1 --batch-size 8 --learning-rate 0.001 --watch
		bin/outcrop throughput create --name gguf-prod --model gguf --wait
		files=gguf model=gguf-prod
	fi
	python e2e/gguf/answers.py "$model" "$work/notes/test.jsonl" 20 >"$work/answers.jsonl"
	for type in bf16 f32; do
		bin/outcrop models export "$files" --data "$work/data" --format gguf --type $type --to "$work/$type.gguf"
		node "$tools/gguf/greedy.mjs" "$work/$type.gguf" "$work/answers.jsonl"
	done
else
	say "SKIPPED: llama.cpp: its library is pinned for Linux on x86-64, and this is $(uname -sm)"
fi
