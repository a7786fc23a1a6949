"""Runs Outcrop and its peers in turn on the same work and prints one table.

    compare.py [--only TEXT] [--rounds N] [--prefix "CMD ARGS"] [--threads N] [--json FILE]

Each measurement is a process of its own of some seconds; --prefix is put before each, to
run it alone on a shared machine, say. Of every program the best round counts, because
other programs can only make one slower. Where a peer can do the same work in several ways,
each is tried once and the fastest is then measured in turn with Outcrop.

run.sh installs what this needs.
"""

import argparse
import datetime
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = ROOT / "out" / "peers"
OUTCROP = [str(ROOT / "bin" / "outcrop"), "--output", "json", "bench"]
TORCH = [str(TOOLS / "venv" / "bin" / "python"), str(HERE / "torch_peer.py")]
SECONDS = 5  # of one measurement, after a warm-up
PROMPT, SHORT_PROMPT, NEW, STREAMS = 512, 32, 64, 32  # as shape b of `outcrop bench generate`


@dataclass
class Way:
    """One way in which a program can do the work."""

    name: str
    command: list[str]
    rate: str  # the field of its JSON that is compared
    memory: str = "memory"
    runs: list[dict] = field(default_factory=list)

    def measure(self, o):
        command = shlex.split(o.prefix) + self.command
        print("#", shlex.join(self.command), file=sys.stderr, flush=True)
        p = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
        if p.returncode != 0:
            print(f"# {self.name}: exit status {p.returncode}", file=sys.stderr)
            return
        out = p.stdout.strip()
        self.runs.append(json.loads(out if out.startswith("{\n") else out.splitlines()[-1]))

    def best(self, key: str) -> float:
        return max((r[key] for r in self.runs), default=0)


@dataclass
class Row:
    work: str
    ours: Way
    peers: list[Way]
    memory: bool = False


def outcrop(name: str, *args: str, rate: str) -> Way:
    return Way(name, OUTCROP + list(args), rate, memory="peakRSS")


def torch_ways(command: list[str], modes: list[tuple[str, str]], rate="rate") -> list[Way]:
    return [
        Way(f"PyTorch {dtype} {attention}", TORCH + command + ["--dtype", dtype, "--attention", attention], rate)
        for dtype, attention in modes
    ]


def training(o, shape: str, rows: int, length: int, modes, rank: int = 0) -> Row:
    batch = ["--rows", str(rows), "--length", str(length), "--seconds", str(SECONDS), "--threads", str(o.threads)]
    ours = ["train", "--shape", shape, "--documents", str(rows), "--seconds", str(SECONDS), "--threads", str(o.threads)]
    kind = "full fine-tune"
    if rank:
        kind = f"LoRA r={rank}, all linear layers"
        batch, ours = batch + ["--rank", str(rank)], ours + ["--method", "lora"]  # of rank 16
    return Row(
        f"{kind}, {shape}, {length} x {rows}",
        outcrop("Outcrop", *ours, rate="best"),
        torch_ways(["train", shape] + batch, modes),
        memory=True,
    )


def float32(o, kernel: str) -> Row:
    """Training in float32, by one of the kernels for CPUs without bfloat16."""
    row = training(o, "a", 8, 256, [("f32", "fused"), ("f32", "manual")])
    row.work, row.memory = f"full fine-tune, a, float32 ({kernel})", False
    row.ours.command = ["env", f"OUTCROP_KERNEL={kernel}", *row.ours.command]
    return row


def one_thread(o, work: str, rate: str, *command: str) -> Row:
    """Outcrop against itself with one thread."""
    alone = outcrop("Outcrop, 1 thread", *command, "--seconds", str(SECONDS), "--threads", "1", rate=rate)
    return Row(work, outcrop("Outcrop", *command, "--seconds", str(SECONDS), "--threads", "2", rate=rate), [alone])


def llama(o, quantisation: str, streams: int, rate: str) -> Way:
    numbers = [PROMPT if streams == 1 else SHORT_PROMPT, NEW, streams, SECONDS, o.threads]
    command = ["node", str(TOOLS / "node" / "llama_peer.mjs"), str(TOOLS / f"b-{quantisation}.gguf"), *map(str, numbers)]
    return Way(f"llama.cpp {quantisation}", command, rate)


def generation(o, work: str, rate: str, peers: list[Way], *flags: str) -> Row:
    ours = ["generate", "--shape", "b", "--seconds", str(SECONDS), "--threads", str(o.threads), *flags]
    return Row(work, outcrop("Outcrop", *ours, rate=rate), peers)


def rows(o) -> list[Row]:
    fast = [("bf16", "fused"), ("bf16", "manual")]
    every = [*fast, ("f32", "fused")]
    torch = lambda rate: torch_ways(["generate", "b", "--seconds", str(SECONDS), "--threads", str(o.threads)], [("bf16", "fused")], rate)
    return [
        training(o, "a", 8, 256, every),
        training(o, "b", 2, 512, every),
        training(o, "b", 4, 512, fast),
        training(o, "b", 4, 512, fast, rank=16),
        generation(o, "greedy decode, b, batch 1, bf16", "bestGenerate", [llama(o, "bf16", 1, "rate"), *torch("rate")]),
        generation(o, "greedy decode, b, batch 1, int8", "bestGenerate", [llama(o, "q8_0", 1, "rate")], "--weights", "int8"),
        generation(
            o, f"prefill {PROMPT}, b", "bestPrompt", [*torch("prefill"), llama(o, "bf16", 1, "prefill"), llama(o, "q8_0", 1, "prefill")]
        ),
        generation(
            o,
            # Reading 32 long prompts would take llama.cpp most of a minute.
            f"{STREAMS} streams of b together, bf16, prompts of {SHORT_PROMPT}",
            "bestGenerate",
            [llama(o, "bf16", STREAMS, "rate"), llama(o, "q8_0", STREAMS, "rate")],
            "--sessions",
            str(STREAMS),
            "--prompt",
            str(SHORT_PROMPT),
        ),
        float32(o, "avx512-f32"),
        float32(o, "avx2-f32"),
        one_thread(o, "1 to 2 threads: full fine-tune, a", "best", "train", "--shape", "a"),
        one_thread(o, "1 to 2 threads: greedy decode, b, bf16", "bestGenerate", "generate", "--shape", "b"),
    ]


def compare(row: Row, o) -> Way:
    """Measures a row; returns the peer's best way."""
    for way in row.peers:
        way.measure(o)
    peer = max(row.peers, key=lambda w: w.best(w.rate))
    for _ in range(o.rounds):
        row.ours.measure(o)
        peer.measure(o)
    return peer


def line(*cells: str):
    print("| " + " | ".join(cells) + " |", flush=True)


def report(row: Row, peer: Way):
    ours, theirs = row.ours.best(row.ours.rate), peer.best(peer.rate)
    if not ours:
        line(row.work, "cannot do it yet", f"{theirs:,.0f}", peer.name, "")
        return
    line(row.work, f"{ours:,.0f}", f"{theirs:,.0f}", peer.name, f"{ours / max(theirs, 1e-9):.2f}")
    if row.memory:
        a, b = row.ours.best(row.ours.memory), peer.best(peer.memory)
        line("– peak memory, MiB", f"{a / 2**20:,.0f}", f"{b / 2**20:,.0f}", peer.name, f"{a / max(b, 1):.2f}")


def output(command: list[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def about(o):
    """Says what is compared, and what the machine can do at best."""
    torch = json.loads(output(TORCH + ["about"]).splitlines()[-1])
    node = json.loads(output(["node", str(TOOLS / "node" / "llama_peer.mjs"), "about"]).splitlines()[-1])
    print(f"{datetime.date.today()}, {o.threads} threads, tokens a second, best of {o.rounds} rounds of {SECONDS} s")
    print(f"PyTorch {torch['version']}, {torch['cpu']}; llama.cpp of node-llama-cpp {node['version']} ({node['cpu']})")
    print(f"PyTorch's configuration: {torch['config']}")
    print(output(shlex.split(o.prefix) + [OUTCROP[0], "bench", "machine", "--threads", str(o.threads)]))
    print()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="", help="rows whose name contains this")
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--prefix", default="", help="put before each measured command")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", help="write every measurement to this file")
    o = p.parse_args()
    about(o)
    line("work", "Outcrop", "peer", "which", "ratio")
    line("---", "--:", "--:", "---", "--:")
    every = []
    for row in rows(o):
        if o.only not in row.work:
            continue
        report(row, compare(row, o))
        every += [{"work": row.work, "way": w.name, "command": w.command, "runs": w.runs} for w in [row.ours, *row.peers]]
    if o.json:
        Path(o.json).write_text(json.dumps(every, indent=1))


if __name__ == "__main__":
    main()
