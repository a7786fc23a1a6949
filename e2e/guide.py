"""Runs the Python blocks of a fine-tuning guide against a server, word for word and in order.

The guide is a Markdown file whose scripts were written for Amazon Bedrock. Only two things
are done for it: its bucket is made and its data files are put into the working directory
first, and time.sleep is shortened. Afterwards the results are checked: the job completed,
both loss files are there and fall, the tuned model's answer is not the base model's.

The server is the one that the AWS_... variables name (outcrop env prints them).
"""

import argparse
import csv
import json
import os
import re
import shutil
import statistics
import tempfile
import time

SLEEP_SECONDS_MAX = 0.5


def main():
    args = parse_arguments()
    with open(args.guide, encoding="utf-8") as f:
        blocks = python_blocks(f.read())
    with tempfile.TemporaryDirectory() as cwd:
        copy_lines(args.train, os.path.join(cwd, "training_data.jsonl"), args.rows)
        copy_lines(args.validation, os.path.join(cwd, "validation_data.jsonl"), args.validation_rows)
        os.chdir(cwd)
        names = run(blocks, args.guide)
    check(names)
    print("the guide's scripts ran, and their results are right")


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("guide")
    p.add_argument("--train", required=True, help="rows to train on")
    p.add_argument("--validation", required=True, help="rows to validate on")
    p.add_argument("--rows", type=int, default=None, help="use this many of the training rows")
    p.add_argument("--validation-rows", type=int, default=None)
    args = p.parse_args()
    for name in ("guide", "train", "validation"):
        setattr(args, name, os.path.abspath(getattr(args, name)))
    return args


def python_blocks(text):
    """Returns (line number, code) of every fenced Python block."""
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, m.start(1)) + 1, m.group(1)) for m in found]


def copy_lines(source, target, count):
    if count is None:
        shutil.copyfile(source, target)
        return
    with open(source, encoding="utf-8") as src, open(target, "w", encoding="utf-8") as dst:
        dst.writelines(line for line, _ in zip(src, range(count)))


def run(blocks, path):
    """Runs the blocks in one namespace and returns it."""
    import boto3

    if not blocks:
        raise SystemExit(f"{path} holds no Python block")
    source = "".join(code for _, code in blocks)
    for bucket in sorted(set(re.findall(r"s3://([a-z0-9.-]+)/", source))):
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
    real_sleep = time.sleep
    time.sleep = lambda seconds: real_sleep(min(seconds, SLEEP_SECONDS_MAX))
    names = {"__name__": "__main__"}
    for line, code in blocks:
        print(f"--- {os.path.basename(path)}:{line}", flush=True)
        padding = "\n" * (line - 1)  # so that a traceback names the guide's own lines
        exec(compile(padding + code, path, "exec"), names)
    time.sleep = real_sleep
    return names


def check(names):
    job = names["bedrock"].get_model_customization_job(jobIdentifier=names["job_arn"])
    expect(job["status"] == "Completed", f"the job is {job['status']}: {job.get('failureMessage')}")
    check_losses(names["s3"], job)
    check_answer(names)


def check_losses(s3, job):
    bucket, prefix = job["outputDataConfig"]["s3Uri"].removeprefix("s3://").split("/", 1)
    folder = f"{prefix.rstrip('/')}/model-customization-job-{job['jobArn'].rsplit('/', 1)[1]}"
    training = column(s3, bucket, f"{folder}/training_artifacts/step_wise_training_metrics.csv", "training_loss")
    tenth = max(1, len(training) // 10)
    first, last = statistics.mean(training[:tenth]), statistics.mean(training[-tenth:])
    print(f"training loss over {len(training)} steps: {first:.4f} at first, {last:.4f} at last")
    expect(last < first, "the training loss does not fall")
    both = [
        column(s3, bucket, f"{folder}/validation_artifacts/post_fine_tuning_validation/{inner}validation_metrics.csv", "validation_loss")
        for inner in ("", "validation/")
    ]
    expect(both[0] == both[1], "the two validation files differ")
    print("validation losses:", *both[0])
    expect(len(both[0]) >= 2 and both[0][-1] < both[0][0], "the validation loss does not fall")


def column(s3, bucket, key, name):
    text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    rows = list(csv.DictReader(text.splitlines()))
    expect(list(rows[0])[2:] == [name, "perplexity"], f"the columns of {key} are {list(rows[0])}")
    return [float(row[name]) for row in rows]


def check_answer(names):
    """The answer of the guide's own call is real: the base model gives another."""
    import boto3

    tuned = names["result"]["results"][0]
    expect(tuned["outputText"].strip() and tuned["tokenCount"] > 0, f"no answer: {names['result']}")
    runtime = boto3.client("bedrock-runtime", region_name="us-east-1")
    prompt = "Summarize this patient note: 65yo female with acute onset aphasia and right-sided weakness, NIHSS score 14."
    body = json.dumps({"inputText": prompt, "textGenerationConfig": {"maxTokenCount": 64, "temperature": 0}})
    answers = []
    for model in (names["provisioned_arn"], "amazon.titan-text-express-v1"):
        out = json.loads(runtime.invoke_model(modelId=model, body=body)["body"].read())
        answers.append(out["results"][0]["outputText"])
    print("tuned:", answers[0].strip())
    print("base: ", answers[1].strip())
    expect(answers[0] != answers[1], "the tuned model answers as the base model does")


def expect(truth, message):
    if not truth:
        raise SystemExit("FAIL: " + message)


if __name__ == "__main__":
    main()
