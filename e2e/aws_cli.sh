#!/bin/sh
# Drives a server with the AWS CLI: the everyday commands of s3, and the calls of bedrock,
# bedrock-runtime and sts. The server is the one that the AWS_... variables name.
#
#	aws_cli.sh MODEL_ID
set -eu
model=$1
bucket=cli-$$
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '%s\n' "--- $*"; }
expect() { # what, wanted, got
	[ "$2" = "$3" ] || { printf 'FAIL: %s: want %s, got %s\n' "$1" "$2" "$3" >&2; exit 1; }
}

say "s3 mb, cp of a small and of a multipart file, ls, sync, rm, rb"
aws s3 mb "s3://$bucket" >/dev/null
printf 'hello' >"$work/small"
head -c 20000000 /dev/urandom >"$work/large"
aws s3 cp --only-show-errors "$work/small" "s3://$bucket/dir/small"
aws s3 cp --only-show-errors "$work/large" "s3://$bucket/dir/large"
expect "s3 ls" "20000000 large 5 small" "$(aws s3 ls "s3://$bucket/dir/" | awk '{printf "%s%s %s", sep, $3, $4; sep=" "}')"
aws s3 cp --only-show-errors "s3://$bucket/dir/large" "$work/back"
cmp "$work/large" "$work/back"
mkdir "$work/tree"
aws s3 sync --only-show-errors "s3://$bucket/dir" "$work/tree"
cmp "$work/small" "$work/tree/small"
cmp "$work/large" "$work/tree/large"
rm "$work/tree/large"
aws s3 sync --only-show-errors --delete "$work/tree" "s3://$bucket/dir"
expect "objects after sync --delete" "small" "$(aws s3 ls "s3://$bucket/dir/" | awk '{print $4}')"
aws s3 rm --only-show-errors --recursive "s3://$bucket"
aws s3 rb "s3://$bucket" >/dev/null

say "sts get-caller-identity"
expect "account" 123456789012 "$(aws sts get-caller-identity --query Account --output text)"

say "bedrock list-foundation-models, list-model-customization-jobs"
aws bedrock list-foundation-models --query 'modelSummaries[].modelId' --output text
aws bedrock list-model-customization-jobs --query 'modelCustomizationJobSummaries[].[jobName,status]' --output text

say "bedrock-runtime invoke-model"
aws bedrock-runtime invoke-model --model-id "$model" \
	--body '{"inputText":"Hello","textGenerationConfig":{"maxTokenCount":8}}' "$work/answer" >/dev/null
grep -q '"outputText"' "$work/answer"

say "an error names its exception"
if aws bedrock get-model-customization-job --job-identifier no-such-job 2>"$work/error"; then exit 1; fi
grep -q ResourceNotFoundException "$work/error"
echo "the AWS CLI works"
