// Asks llama.cpp for greedy answers of a GGUF file and compares them with Outcrop's, of the
// same model: text for text.
//
//	node greedy.mjs MODEL.gguf ANSWERS.jsonl
//
// A line of ANSWERS.jsonl is {"prompt", "answer", "maxTokens"}: what Outcrop was asked and
// what it said at temperature 0. The prompt is rendered as Pebble's chat template renders one
// user turn, and cut into tokens by llama.cpp.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { getLlama } from "node-llama-cpp";

const [, , path, answers] = process.argv;
assert.ok(path && answers, "usage: node greedy.mjs MODEL.gguf ANSWERS.jsonl");

const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: "error" });
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
// One thread: a small model is not faster with more, and far slower where others are busy.
const context = await model.createContext({ contextSize: 1024, threads: 1 });
const sequence = context.getSequence();

let asked = 0;
for (const line of readFileSync(answers, "utf8").trim().split("\n")) {
  const { prompt, answer, maxTokens } = JSON.parse(line);
  assert.equal(await greedy(prompt, maxTokens), answer, `llama.cpp answers otherwise to: ${prompt}`);
  asked++;
}
assert.ok(asked > 0, "there are no answers to compare with");
console.log(`llama.cpp gives the same ${asked} answers`);
process.exit(0);

async function greedy(prompt, maxTokens) {
  const tokens = [...model.tokenize("<|bos|>", true), ...model.tokenize(prompt, false), ...model.tokenize("<|sep|>", true)];
  await sequence.clearHistory();
  const said = [];
  for await (const token of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
    if (model.isEogToken(token) || said.push(token) === maxTokens) break;
  }
  return model.detokenize(said);
}
