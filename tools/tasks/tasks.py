"""Fine-tune a base model on public tasks and tell what that changed, as a user would: boto3
against a server of its own, answers taken greedily, scores by sacrebleu and rouge-score.

    pip install -r tools/tasks/requirements.txt
    python tools/tasks/tasks.py --outcrop bin/outcrop --data ../shared/data/ft [--tasks banking10,wikisql]

DATA holds one directory a task with train, validation and test files of {"prompt",
"completion"} lines. The table that it prints is the one in the base model's card.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.config
import sacrebleu
from rouge_score import rouge_scorer

BUCKET = "tasks"
ROLE = "arn:aws:iam::123456789012:role/Tasks"


def exact(answers, rows):
    """Share of answers that are the completion, but for white space at the ends."""
    return sum(a.strip() == r["completion"].strip() for a, r in zip(answers, rows)) / len(rows)


def number(answers, rows):
    """Share of answers whose last line gives the right number."""
    def last(text):
        found = re.findall(r"-?\d[\d,]*\.?\d*", text.splitlines()[-1]) if text.strip() else []
        return found[-1].replace(",", "").rstrip(".") if found else None
    return sum(last(r["completion"]) == last(a.strip()) for a, r in zip(answers, rows)) / len(rows)


def rouge1(answers, rows):
    """Mean ROUGE-1 F1 (stemmed)."""
    scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=True)
    return sum(scorer.score(r["completion"], a)["rouge1"].fmeasure for a, r in zip(answers, rows)) / len(rows)


def bleu(answers, rows):
    """Corpus BLEU over all references of a row, divided by 100."""
    most = max(len(r["references"]) for r in rows)
    references = [[r["references"][i] if i < len(r["references"]) else None for r in rows] for i in range(most)]
    return sacrebleu.corpus_bleu(answers, references).score / 100


@dataclasses.dataclass
class Task:
    """One task: where its data are, how to train on it, how to score it."""
    name: str
    metric: object
    epochs: int
    rate: float = 1e-3
    batch: int = 16
    tests: tuple = ("test.jsonl",)
    test_rows: int = 500
    answer_tokens: int = 64
    baseline: str = ""


TASKS = [
    Task("banking10", exact, 4, baseline="naive Bayes 0.970"),
    Task("banking77", exact, 4, test_rows=1000, baseline="naive Bayes 0.829"),
    Task("patient-notes", exact, 2, answer_tokens=128, baseline="nearest neighbour 0.010"),
    Task("mts-dialog/section", exact, 4, tests=("test1.jsonl", "test2.jsonl"), baseline="naive Bayes 0.620"),
    Task("wikisql", exact, 3, answer_tokens=96, baseline="nearest neighbour 0.005"),
    Task("e2e-nlg", bleu, 3, tests=("test.refs.jsonl",), answer_tokens=96, baseline="nearest neighbour 0.143, templates 0.367"),
    Task("mts-dialog/summarize", rouge1, 3, tests=("test1.jsonl",), answer_tokens=160, baseline="copying 0.233, nearest neighbour 0.305"),
    Task("gsm8k", number, 2, test_rows=300, answer_tokens=192, baseline="none"),
]


@contextlib.contextmanager
def server(program, data):
    """A server on a free port; yields its URL and keys."""
    quiet = dict(os.environ, AWS_EC2_METADATA_DISABLED="true")
    process = subprocess.Popen([program, "serve", "--data", data, "--listen", "127.0.0.1:0"], env=quiet,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield environment(program, data, process)
    finally:
        process.terminate()
        process.wait()


def environment(program, data, process):
    """What `outcrop env` prints, once the server answers."""
    for _ in range(600):
        if process.poll() is not None:
            sys.exit("the server ended; run it by hand to see why")
        out = subprocess.run([program, "env", "--data", data], capture_output=True, text=True)
        if out.returncode == 0 and "AWS_ENDPOINT_URL" in out.stdout:
            return dict(re.findall(r"export (\w+)='?([^'\n]*)'?", out.stdout))
        time.sleep(0.1)
    sys.exit("the server does not answer")


class Clients:
    """The three boto3 clients."""

    def __init__(self, env):
        make = lambda name, **kw: boto3.client(
            name, endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env.get("AWS_REGION", "us-east-1"),
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(read_timeout=300, max_pool_connections=32, **kw))
        self.s3 = make("s3", s3={"addressing_style": "path"})
        self.bedrock = make("bedrock")
        self.runtime = make("bedrock-runtime", retries={"mode": "adaptive", "max_attempts": 10})

    def ask(self, model, prompt, tokens):
        body = {"inputText": prompt, "textGenerationConfig": {"maxTokenCount": tokens, "temperature": 0}}
        answer = self.runtime.invoke_model(modelId=model, body=json.dumps(body))
        return json.loads(answer["body"].read())["results"][0]["outputText"]

    def ask_all(self, model, rows, tokens):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda r: self.ask(model, r["prompt"], tokens), rows))

    def tune(self, base, task, name, train, validation):
        """Train, and return the custom model's throughput and the seconds that the job took."""
        for key, path in (("train", train), ("validation", validation)):
            self.s3.upload_file(str(path), BUCKET, f"{name}/{key}.jsonl")
        job = self.bedrock.create_model_customization_job(
            jobName=name, customModelName=name, roleArn=ROLE, baseModelIdentifier=base, customizationType="FINE_TUNING",
            trainingDataConfig={"s3Uri": f"s3://{BUCKET}/{name}/train.jsonl"},
            validationDataConfig={"validators": [{"s3Uri": f"s3://{BUCKET}/{name}/validation.jsonl"}]},
            outputDataConfig={"s3Uri": f"s3://{BUCKET}/{name}/output/"},
            hyperParameters={"epochCount": str(task.epochs), "batchSize": str(task.batch), "learningRate": repr(task.rate),
                             "learningRateWarmupSteps": "20"})["jobArn"]
        began = time.time()
        while (state := self.bedrock.get_model_customization_job(jobIdentifier=job))["status"] == "InProgress":
            time.sleep(1)
        if state["status"] != "Completed":
            sys.exit(f"{task.name}: {state['status']}: {state.get('failureMessage')}")
        took = time.time() - began
        arn = self.bedrock.create_provisioned_model_throughput(
            provisionedModelName=name, modelId=name, modelUnits=1)["provisionedModelArn"]
        while self.bedrock.get_provisioned_model_throughput(provisionedModelId=arn)["status"] == "Creating":
            time.sleep(0.1)
        return arn, took


def read(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def run(clients, base, task, data):
    """Before, after, and the seconds of training."""
    where = data / task.name
    rows = [r for t in task.tests for r in read(where / t)][: task.test_rows]
    before = task.metric(clients.ask_all(base, rows, task.answer_tokens), rows)
    name = task.name.replace("/", "-")
    arn, took = clients.tune(base, task, name, where / "train.jsonl", where / "validation.jsonl")
    after = task.metric(clients.ask_all(arn, rows, task.answer_tokens), rows)
    clients.bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)
    return {"task": task.name, "metric": task.metric.__name__, "before": before, "after": after, "rows": len(rows),
            "epochs": task.epochs, "rate": task.rate, "seconds": took, "baseline": task.baseline}


def line(r):
    return (f"| {r['task']} | {r['metric']} | {r['before']:.3f} | **{r['after']:.3f}** | {r['baseline']} | {r['rows']} | "
            f"{r['epochs']} | {r['rate']:g} | {r['seconds']:.0f} s |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--outcrop", default="bin/outcrop", help="the program")
    p.add_argument("--data", type=pathlib.Path, default=pathlib.Path("../shared/data/ft"), help="directory of the tasks")
    p.add_argument("--base", default="outcrop.pebble-v1", help="base model")
    p.add_argument("--tasks", default=",".join(t.name for t in TASKS), help="which, separated by commas")
    p.add_argument("--rate", type=float, help="learning rate in place of each task's own")
    p.add_argument("--epochs", type=int, help="epochs in place of each task's own")
    p.add_argument("--json", type=pathlib.Path, help="write the figures there as well")
    a = p.parse_args()
    known = {t.name: t for t in TASKS}
    chosen = [known.get(name) or p.error(f"there is no task {name!r}, only {', '.join(known)}") for name in a.tasks.split(",")]
    results = []
    print("| task | score | before | after | simple methods | test rows | epochs | learning rate | training |\n|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as data, server(os.path.abspath(a.outcrop), data) as env:
        clients = Clients(env)
        clients.s3.create_bucket(Bucket=BUCKET)
        for task in chosen:
            task = dataclasses.replace(task, rate=a.rate or task.rate, epochs=a.epochs or task.epochs)
            results.append(run(clients, a.base, task, a.data))
            print(line(results[-1]), flush=True)
    if a.json:
        a.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
