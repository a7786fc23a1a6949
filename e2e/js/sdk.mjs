// Drives a server with the AWS SDK for JavaScript: Bedrock and S3 over HTTP/1.1, and Bedrock
// Runtime, which uses HTTP/2 with prior knowledge even in clear text, with and without
// streaming. The server is the one that the AWS_... variables name.
//
//	node sdk.mjs MODEL_ID
import assert from "node:assert/strict";
import { BedrockClient, ListFoundationModelsCommand, GetFoundationModelCommand } from "@aws-sdk/client-bedrock";
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";

const modelId = process.argv[2];
assert.ok(modelId, "usage: node sdk.mjs MODEL_ID");
const prompt = "Summarize this patient note: 40yo male with cough for 3 days. BP 120/80, HR 72.";

const bedrock = new BedrockClient({});
const runtime = new BedrockRuntimeClient({});
const s3 = new S3Client({ forcePathStyle: true });

await foundationModels();
await invoke();
await converse();
await errors();
await objects();
for (const client of [bedrock, runtime, s3]) client.destroy();
console.log("the AWS SDK for JavaScript works");

async function foundationModels() {
  const { modelSummaries } = await bedrock.send(new ListFoundationModelsCommand({}));
  assert.ok(modelSummaries.length > 0, "no foundation models");
  const id = modelSummaries[0].modelId;
  const { modelDetails } = await bedrock.send(new GetFoundationModelCommand({ modelIdentifier: id }));
  assert.equal(modelDetails.modelId, id);
}

async function invoke() {
  assert.equal(runtime.config.requestHandler.metadata?.handlerProtocol, "h2", "the SDK does not use HTTP/2 any more");
  const body = JSON.stringify({ inputText: prompt, textGenerationConfig: { maxTokenCount: 48, temperature: 0 } });
  const whole = JSON.parse(new TextDecoder().decode((await runtime.send(new InvokeModelCommand({ modelId, body }))).body));
  const text = whole.results[0].outputText;
  assert.ok(text.length > 0, "InvokeModel gave no text");

  const stream = await runtime.send(new InvokeModelWithResponseStreamCommand({ modelId, body }));
  const chunks = [];
  for await (const event of stream.body) {
    assert.ok(event.chunk, `unexpected event ${JSON.stringify(event)}`);
    chunks.push(JSON.parse(new TextDecoder().decode(event.chunk.bytes)));
  }
  assert.ok(chunks.length > 1, "the answer came in one piece");
  assert.equal(chunks.map((c) => c.outputText).join(""), text, "streamed text differs");
  assert.ok(chunks.at(-1)["amazon-bedrock-invocationMetrics"].outputTokenCount > 0);
}

async function converse() {
  const input = {
    modelId,
    messages: [{ role: "user", content: [{ text: prompt }] }],
    inferenceConfig: { maxTokens: 48, temperature: 0 },
  };
  const whole = await runtime.send(new ConverseCommand(input));
  const text = whole.output.message.content[0].text;
  assert.ok(whole.usage.inputTokens > 0 && whole.usage.outputTokens > 0);

  const names = [];
  let streamed = "";
  for await (const event of (await runtime.send(new ConverseStreamCommand(input))).stream) {
    names.push(Object.keys(event)[0]);
    streamed += event.contentBlockDelta?.delta.text ?? "";
  }
  assert.equal(streamed, text, "ConverseStream's text differs from Converse's");
  assert.equal(names[0], "messageStart");
  assert.deepEqual(names.slice(-3), ["contentBlockStop", "messageStop", "metadata"]);
}

async function errors() {
  await assert.rejects(
    runtime.send(new InvokeModelCommand({ modelId, body: "{" })),
    (e) => e.name === "ValidationException" && e.$metadata.httpStatusCode === 400,
  );
  const stranger = new BedrockRuntimeClient({ credentials: { accessKeyId: "AKIDNOBODY", secretAccessKey: "wrong" } });
  await assert.rejects(stranger.send(new InvokeModelCommand({ modelId, body: "{}" })), (e) => e.$metadata.httpStatusCode === 403);
  stranger.destroy();
}

async function objects() {
  const Bucket = `js-${Date.now()}`;
  const Key = "a//b/ü +%.txt";
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: "hello" }));
  const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
  assert.equal(await got.Body.transformToString(), "hello");
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket }));
  assert.deepEqual(Contents.map((o) => o.Key), [Key]);
  await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  await s3.send(new DeleteBucketCommand({ Bucket }));
}
