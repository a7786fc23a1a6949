"""One measurement of PyTorch, in a process of its own; the last line printed is JSON.

    torch_peer.py train    SHAPE --rows N --length T --dtype f32|bf16 --attention fused|manual [--rank R]
    torch_peer.py generate SHAPE --dtype f32|bf16 --prompt N --new N
    torch_peer.py about

Training is forward, backward and fused AdamW, without the gradient clipping that Outcrop's
step contains. bf16 is autocast over float32 masters in training (frozen weights of LoRA
are stored in bfloat16), and bfloat16 weights in generation.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F

from decoder import SHAPES, Decoder, Past


def peak_rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


IMPORTED = peak_rss()  # PyTorch's own libraries are not held against it


def measure(step, seconds: float) -> list[float]:
    """The times of calls of step, after one to warm up."""
    step()
    times = []
    while sum(times) < seconds or not times:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return sorted(times)


def train(o) -> dict:
    s = SHAPES[o.shape]
    m = Decoder(s, o.attention == "fused", o.rank, torch.bfloat16 if o.dtype == "bf16" else torch.float32)
    trained = [p for p in m.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(trained, lr=1e-5, fused=True)
    tokens = torch.randint(0, s.vocab, (o.rows, o.length + 1))

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.dtype == "bf16"):
            logits = m(tokens[:, :-1])
            loss = F.cross_entropy(logits.float().view(-1, s.vocab), tokens[:, 1:].reshape(-1))
        loss.backward()
        adam.step()
        adam.zero_grad(set_to_none=True)

    times = measure(step, o.seconds)
    n = o.rows * o.length
    return {"rate": n / times[0], "median": n / statistics.median(times)}


@torch.inference_mode()
def generate(o) -> dict:
    s, dtype = SHAPES[o.shape], torch.bfloat16 if o.dtype == "bf16" else torch.float32
    m = Decoder(s, fused=True).to(dtype).eval()
    prompt = torch.randint(0, s.vocab, (1, o.prompt))
    state = {}

    def read():
        state["past"] = Past(s, dtype)
        state["next"] = m(prompt, state["past"], last=True).argmax(-1)

    def answer():
        state["past"].length, token = o.prompt, state["next"]
        for _ in range(o.new):
            token = m(token, state["past"], last=True).argmax(-1)

    reads = measure(read, o.seconds / 3)
    answers = measure(answer, o.seconds)
    return {
        "prefill": o.prompt / reads[0],
        "rate": o.new / answers[0],
        "median": o.new / statistics.median(answers),
    }


def about(o) -> dict:
    wanted = ("oneAPI", "MKL-DNN", "OpenMP", "CPU capability")
    config = "; ".join(l.strip(" -") for l in torch.__config__.show().splitlines() if any(w in l for w in wanted))
    return {"version": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability(), "config": config}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=["train", "generate", "about"])
    p.add_argument("shape", nargs="?", choices=sorted(SHAPES))
    p.add_argument("--rows", type=int, default=2)
    p.add_argument("--length", type=int, default=512)
    p.add_argument("--rank", type=int, default=0)
    p.add_argument("--dtype", choices=["f32", "bf16"], default="bf16")
    p.add_argument("--attention", choices=["fused", "manual"], default="fused")
    p.add_argument("--prompt", type=int, default=512)
    p.add_argument("--new", type=int, default=64)
    p.add_argument("--seconds", type=float, default=6)
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    result = {"train": train, "generate": generate, "about": about}[o.what](o)
    result["memory"] = peak_rss() - IMPORTED
    print(json.dumps(result))


if __name__ == "__main__":
    main()
