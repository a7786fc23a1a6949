"""Compares Outcrop with transformers, torch and peft on tiny random models of every family.

    python parity.py OUT ENGINE PROGRAM [--case NAME]...

OUT is a directory for the files; ENGINE is the built tools/parity (main.go), which computes
what cases.py and reference.py ask for; PROGRAM is the built outcrop. Prints the largest distance of each check beside its
tolerance, and exits with 1 if one is too large or could not be made.
"""
import argparse
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from safetensors.numpy import load_file

import cases
import compare_test
import reference
from compare import TOLERANCES, Differs, distance, distances, moved


class Checks:
    """The distances of one case with one kernel, by kind: (distance, which tensor)."""

    def __init__(self):
        self.worst, self.errors = {}, []

    def add(self, kind, values):
        """Adds what values() returns: distances by name. Whatever it raises, also in transformers, is a failed check."""
        try:
            name, d = max(values().items(), key=lambda x: x[1])
        except Exception as e:
            self.errors.append(f"{kind}: {type(e).__name__} {e}")
            return
        if d >= self.worst.get(kind, (-1,))[0]:
            self.worst[kind] = d, name


def relative(got, want):
    return {f"number {i + 1}": distance(g, w) for i, (g, w) in enumerate(zip(got, want, strict=True))}


def tensors(path):
    """Reads a safetensors file, or all of a model directory."""
    out = {}
    for f in sorted(path.glob("*.safetensors")) if path.is_dir() else [path]:
        out |= load_file(f)
    return out


def check(case, at, kernel):
    """Returns the Checks of a case's directory with a kernel."""
    c, got, ref = Checks(), at / "got" / kernel, at / "ref"
    task, want = json.loads((at / "case.json").read_text()), json.loads((ref / "ref.json").read_text())
    try:
        have = json.loads((got / "got.json").read_text())
    except OSError:
        c.errors.append("was not computed")
        return c
    c.add("logits", lambda: distances(tensors(got / "logits.safetensors"), tensors(ref / "logits.safetensors")))
    c.add("loss", lambda: relative([have["loss"]], [want["loss"]]))
    if case.train:
        c.add("grad", lambda: distances(tensors(got / "grad"), tensors(ref / "grad")))
        start = tensors(ref / "start")
        c.add("step", lambda: distances(moved(tensors(got / "step"), start), moved(tensors(ref / "step"), start)))
        c.add("losses", lambda: relative(have["losses"], want["losses"]))
    model = reference.load_adapter(at / "model", at / "adapter") if case.lora else reference.load(at / "model")
    generated(c, model, task, have, tensors(got / "generated.safetensors")["logits"], want)
    c.add("saved", lambda: same(reference.load_adapter(at / "model", got / "saved") if case.lora else reference.load(got / "saved"), model, task))
    if case.lora:
        c.add("merged", lambda: same(reference.load(got / "merged"), model, task))
    return c


def generated(c, model, task, have, logits, want):
    """Compares the logits that tokens were chosen by, and that each was the best there was.

    What follows a token depends on it, so transformers is asked about Outcrop's own tokens: a
    near tie that falls the other way is measured by how near it was. Where there was none,
    the tokens are those that transformers generates, with its own cache.
    """
    tokens = torch.tensor(task["prompt"] + have["tokens"])
    with torch.no_grad():
        rows = model(input_ids=tokens[None]).logits[0, len(task["prompt"]) - 1 : -1].numpy()
    c.add("cached", lambda: {"logits": distance(logits, rows)})
    chosen = rows[np.arange(len(rows)), have["tokens"]]
    c.add("greedy", lambda: {"token": float(((rows.max(-1) - chosen) / rows.std(-1)).max())})
    first = next((i for i, (a, b) in enumerate(zip(have["tokens"], want["tokens"], strict=True)) if a != b), None)
    if first is not None and rows[first].max() == chosen[first]:
        c.errors.append(f"greedy: token {first + 1} is {have['tokens'][first]}, transformers generates {want['tokens'][first]}")


def same(model, original, task):
    """Compares the logits of a model that Outcrop saved with the original's, both in transformers."""
    docs = [(torch.tensor(d["tokens"]), None) for d in task["documents"]]
    with torch.no_grad():
        return {"logits": distance(reference.logits(model, docs).numpy(), reference.logits(original, docs).numpy())}


def command(program, at):
    """Compares what `outcrop model logits` prints for the prompt with the reference."""
    prompt = json.loads((at / "case.json").read_text())["prompt"]
    ids = ",".join(map(str, prompt))
    r = subprocess.run(
        [program, "model", "logits", at / "model", "--tokens", ids, "--output", "json"],
        env=os.environ | {"OUTCROP_KERNEL": "ref-f32"}, capture_output=True, text=True)
    if r.returncode:
        raise Differs(r.stderr.strip())
    want = tensors(at / "ref/logits.safetensors")["logits"][len(prompt) - 1]
    return {"logits": distance(json.loads(r.stdout)["positions"][-1]["logits"], want)}


def precision(case, kernel, kind):
    """Returns which tolerance holds: 0 of float32, 1 of bfloat16."""
    if case.dtype == "float16":
        return 1  # Outcrop keeps what was float16 as bfloat16
    if kind == "merged":
        return 0 if case.dtype == "float32" else 1
    return 1 if kernel.endswith("-bf16") and kind != "saved" else 0


class Table:
    """The largest distance of every case and kind in both precisions, and what is wrong."""

    def __init__(self):
        self.cells, self.errors = {}, []

    def add(self, case, kernel, c):
        for kind, (d, name) in c.worst.items():
            p = precision(case, kernel, kind)
            at = p, case.name, kind
            self.cells[at] = max(d, self.cells.get(at, 0))
            allowed = TOLERANCES[kind][p][0]
            if not d <= allowed:
                self.errors.append(f"{case.name}, {kernel}: {kind}: {name} is off by {d:.2e}, more than {allowed:.0e}")
        self.errors += [f"{case.name}, {kernel}: {e}" for e in c.errors]

    def largest(self, p, kind):
        return max((d for (q, _, k), d in self.cells.items() if (q, k) == (p, kind)), default=None)

    def print(self):
        """Prints a table for each precision, in Markdown: docs/parity.md has them."""
        kinds = list(TOLERANCES)
        for p, precision in enumerate(("float32", "bfloat16")):
            print()
            line(precision, kinds)
            line("-" * WIDTHS[0], ["-" * WIDTHS[1]] * len(kinds))
            for name in dict.fromkeys(name for q, name, _ in self.cells if q == p):
                line(name, [number(self.cells.get((p, name, k))) for k in kinds])
            line("**largest**", [number(self.largest(p, k)) for k in kinds])
            line("**allowed**", [number(TOLERANCES[k][p][0]) for k in kinds])


WIDTHS = 20, 7  # of the columns


def line(first, cells):
    print("| " + " | ".join([first.ljust(WIDTHS[0])] + [c.ljust(WIDTHS[1]) for c in cells]) + " |")


def number(d):
    return "" if d is None else f"{d:.1e}" if d else "0"


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out", type=Path)
    a.add_argument("engine", type=Path)
    a.add_argument("program", type=Path)
    a.add_argument("--case", action="append", metavar="NAME", help="only this one")
    a = a.parse_args()
    if not unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromModule(compare_test)).wasSuccessful():
        sys.exit("the comparer does not refuse what it must")
    torch.set_num_threads(1)
    hf.utils.logging.disable_progress_bar()
    hf.utils.logging.set_verbosity_error()
    chosen = [c for c in cases.cases() if not a.case or c.name in a.case]
    for case in chosen:
        reference.write(case, a.out / case.name)
    failed = subprocess.run([a.engine, *(a.out / c.name for c in chosen)]).returncode
    table = Table()
    for case in chosen:
        at = a.out / case.name
        kernels = sorted(p.name for p in (at / "got").glob("*"))
        if not kernels:
            table.errors.append(f"{case.name}: nothing was computed")
        for kernel in kernels:
            table.add(case, kernel, check(case, at, kernel))
        if case.lora is None:
            c = Checks()
            c.add("command", lambda: command(a.program, at))
            table.add(case, "ref-f32", c)
    table.print()
    for e in table.errors:
        print("FAILED", e, file=sys.stderr)
    print(f"\n{len(chosen)} models, {len(table.errors)} failures")
    sys.exit(1 if failed or table.errors else 0)


if __name__ == "__main__":
    main()
