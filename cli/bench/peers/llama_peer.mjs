// One measurement of llama.cpp by way of node-llama-cpp's prebuilt library, in a process of
// its own; the last line printed is JSON.
//
//	llama_peer.mjs MODEL.gguf PROMPT NEW STREAMS SECONDS THREADS
//	llama_peer.mjs about
import {getLlama, getModuleVersion} from "node-llama-cpp";

const [, , path, ...numbers] = process.argv;
const [prompt = 512, fresh = 64, streams = 1, seconds = 6, threads = 2] = numbers.map(Number);
const llama = await getLlama({gpu: false, build: "never", skipDownload: true, logLevel: "error", maxThreads: threads});

// tokens is a prompt of the wanted length; streams begin differently, so that none can be
// served from another's cache.
const tokens = (stream) => Array.from({length: prompt}, (_, i) => (i * 7919 + stream * 104729) % 8000 + 2);

// best calls measure until the time is up, once at least after a warm-up, and returns the
// best of the rates.
async function best(measure, limit) {
    await measure();
    let top = 0;
    const end = performance.now() + 1000 * limit;
    do top = Math.max(top, await measure()); while (performance.now() < end);
    return top;
}

async function measure() {
    const model = await llama.loadModel({modelPath: path, gpuLayers: 0});
    const context = await model.createContext({
        contextSize: prompt + fresh + 8, batchSize: 512, sequences: streams, threads,
    });
    const sequences = Array.from({length: streams}, () => context.getSequence());

    const read = async () => {
        await sequences[0].clearHistory();
        const start = performance.now();
        await sequences[0].evaluateWithoutGeneratingNewTokens(tokens(0));
        return prompt / ((performance.now() - start) / 1000);
    };
    // answer lets every stream generate after its prompt; the clock runs from when all have
    // their first token until the first has its last, so that all are busy all the time.
    const answer = async () => {
        let begun = 0, start = 0, done = 0, stop = 0;
        await Promise.all(sequences.map(async (sequence, i) => {
            await sequence.clearHistory();
            let n = 0;
            for await (const _ of sequence.evaluate(tokens(i), {temperature: 0, yieldEogToken: true})) {
                if (n++ === 0 && ++begun === streams)
                    start = performance.now();
                else if (start > 0 && stop === 0)
                    done++;
                if (n > fresh) {
                    if (stop === 0)
                        stop = performance.now();
                    break;
                }
            }
        }));
        return done / ((stop - start) / 1000);
    };
    const prefill = await best(read, seconds / 3);
    const rate = await best(answer, seconds);
    return {prefill, rate, memory: process.resourceUsage().maxRSS * 1024};
}

const about = async () => ({version: await getModuleVersion(), llama: llama.llamaCppRelease.release, cpu: llama.systemInfo});
const result = path === "about" ? await about() : await measure();
console.log(JSON.stringify(result));
process.exit(0);
