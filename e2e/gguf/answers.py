"""Writes what the server answers to prompts at temperature 0, for greedy.mjs to compare with.

usage: answers.py MODEL_ID TEST.jsonl COUNT > answers.jsonl

The server is the one that the AWS_... variables name.
"""

import itertools
import json
import sys

import boto3

MAX_TOKENS = 64


def main(model: str, rows: str, count: int) -> None:
    runtime = boto3.client("bedrock-runtime")
    with open(rows, encoding="utf-8") as lines:
        for line in itertools.islice(lines, count):
            prompt = json.loads(line)["prompt"]
            body = {"inputText": prompt, "textGenerationConfig": {"temperature": 0, "maxTokenCount": MAX_TOKENS}}
            answer = json.loads(runtime.invoke_model(modelId=model, body=json.dumps(body))["body"].read())
            print(json.dumps({"prompt": prompt, "answer": answer["results"][0]["outputText"], "maxTokens": MAX_TOKENS}))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
