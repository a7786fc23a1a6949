"""The calls of a fine-tuning user with boto3: upload, create, watch, reserve, invoke, download.

	boto3_calls.py TRAIN.jsonl VALIDATION.jsonl

The server is the one that the AWS_... variables name. Files are written to the working
directory.
"""

import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

BUCKET = "boto3-bucket"
JOB = "boto3-notes"
ROLE = "arn:aws:iam::123456789012:role/E2E"
ROWS = 64
PROMPT = "Summarize this patient note: 65yo female with cough for 3 days. BP 120/80, HR 72."

s3 = boto3.client("s3")
bedrock = boto3.client("bedrock")
runtime = boto3.client("bedrock-runtime")


def main(train, validation):
    upload(train, "train.jsonl", ROWS)
    upload(validation, "validation.jsonl", 8)
    refuse_bad_rows()
    base = ask("amazon.titan-text-express-v1")
    arn = create(f"s3://{BUCKET}/train.jsonl")["jobArn"]
    duplicate_is_refused()
    job = wait(arn)
    assert job["status"] == "Completed", job
    assert job["trainingMetrics"]["trainingLoss"] > 0, job
    download(job)
    throughput = bedrock.create_provisioned_model_throughput(
        provisionedModelName="boto3-prod", modelId=job["outputModelArn"], modelUnits=1
    )["provisionedModelArn"]
    tuned = ask(throughput)
    assert tuned != base, tuned
    assert stream(throughput) == tuned
    assert converse(throughput).strip() == tuned.strip()
    clean_up(throughput, job["outputModelArn"])


def upload(path, key, rows):
    try:
        s3.create_bucket(Bucket=BUCKET)
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass
    with open(path, encoding="utf-8") as source, open("head.jsonl", "w", encoding="utf-8") as head:
        head.writelines(line for line, _ in zip(source, range(rows)))
    s3.upload_file("head.jsonl", BUCKET, key)


def create(uri):
    return bedrock.create_model_customization_job(
        jobName=JOB,
        customModelName=JOB,
        roleArn=ROLE,
        baseModelIdentifier="amazon.titan-text-express-v1",
        trainingDataConfig={"s3Uri": uri},
        validationDataConfig={"validators": [{"s3Uri": f"s3://{BUCKET}/validation.jsonl"}]},
        outputDataConfig={"s3Uri": f"s3://{BUCKET}/output/"},
        hyperParameters={"epochCount": "1", "batchSize": "8", "learningRate": "0.00001"},
    )


def refuse_bad_rows():
    s3.put_object(Bucket=BUCKET, Key="bad.jsonl", Body=b'{"prompt": "a", "completion": "b"}\n{"prompt": "a"}\nnot JSON\n')
    message = refused(lambda: create(f"s3://{BUCKET}/bad.jsonl"), "ValidationException")
    assert "line 2" in message and "line 3" in message, message


def duplicate_is_refused():
    message = refused(lambda: create(f"s3://{BUCKET}/train.jsonl"), "ValidationException")
    assert message == "The provided job name is currently in use.", message


def refused(call, code):
    try:
        call()
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response["Error"]["Message"]
    raise AssertionError(f"no {code}")


def wait(arn):
    while True:
        job = bedrock.get_model_customization_job(jobIdentifier=arn)
        if job["status"] not in ("InProgress", "Stopping"):
            return job
        assert "outputModelArn" not in job, job
        time.sleep(0.2)


def download(job):
    folder = "output/model-customization-job-" + job["jobArn"].rsplit("/", 1)[1]
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET, Prefix=folder)["Contents"]]
    for name in (
        "training_artifacts/step_wise_training_metrics.csv",
        "validation_artifacts/post_fine_tuning_validation/validation_metrics.csv",
        "validation_artifacts/post_fine_tuning_validation/validation/validation_metrics.csv",
    ):
        assert f"{folder}/{name}" in keys, keys
        s3.download_file(BUCKET, f"{folder}/{name}", name.rsplit("/", 1)[1])


def body():
    return json.dumps({"inputText": PROMPT, "textGenerationConfig": {"maxTokenCount": 32, "temperature": 0}})


def ask(model):
    response = runtime.invoke_model(modelId=model, body=body())
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert int(headers["x-amzn-bedrock-output-token-count"]) > 0, headers
    return json.loads(response["body"].read())["results"][0]["outputText"]


def stream(model):
    events = runtime.invoke_model_with_response_stream(modelId=model, body=body())["body"]
    return "".join(json.loads(e["chunk"]["bytes"])["outputText"] for e in events)


def converse(model):
    answer = runtime.converse(
        modelId=model,
        messages=[{"role": "user", "content": [{"text": PROMPT}]}],
        inferenceConfig={"maxTokens": 32, "temperature": 0},
    )
    return answer["output"]["message"]["content"][0]["text"]


def clean_up(throughput, model):
    bedrock.delete_provisioned_model_throughput(provisionedModelId=throughput)
    refused(lambda: bedrock.get_provisioned_model_throughput(provisionedModelId=throughput), "ResourceNotFoundException")
    bedrock.delete_custom_model(modelIdentifier=model)
    refused(lambda: bedrock.get_custom_model(modelIdentifier=model), "ResourceNotFoundException")


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("ok")
