#!/usr/bin/env python3
"""Compare the service models that Outcrop serves with those of the installed botocore.

    python3 tools/conform/botocore_diff.py            # bedrock and bedrockruntime
    python3 tools/conform/botocore_diff.py --routes   # the routes of all operations as well

For each operation with shapes it compares method, URI, status, errors, and every member it
reaches: location, type, whether it is required, enum values, lengths, ranges and patterns.
Prints one line per difference; exit status 1 if there is any. Needs go and botocore.

Which operations have shapes, and what the Go SDK does not say, stands in internal/awsgen/*.txt.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import botocore.loaders

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = {"bedrock": "bedrock", "bedrockruntime": "bedrock-runtime"}
# Our kind for each of botocore's types; both floats are one to us.
KINDS = {"double": "float", "float": "float"}
# Headers that AWS sends and its model lacks (the "extra" lines of the facts tables).
EXTRA = {"X-Amzn-Bedrock-Input-Token-Count", "X-Amzn-Bedrock-Output-Token-Count", "X-Amzn-Bedrock-Invocation-Latency"}


def ours(name):
    """The model as internal/awsgen sees it, flattened: {operation: {path: fact}}."""
    run = subprocess.run(["go", "run", "./internal/awsgen", "-dump", name], cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    model = json.loads(run.stdout)
    return {op["Name"]: OurModel(model).operation(op) for op in model["Operations"]}


def theirs(name):
    """botocore's model, flattened in the same way."""
    model = botocore.loaders.Loader().load_service_model(SERVICES[name], "service-2")
    return {op: BotoModel(model).operation(op) for op in model["operations"]}


def bounds(low, high):
    """One text for a pair of limits, however they were written."""
    show = lambda x: "" if x in (None, "") else "%g" % float(x)
    return "" if low in (None, "") and high in (None, "") else show(low) + ".." + show(high)


class OurModel:
    def __init__(self, model):
        self.model = model
        self.facts = {}

    def operation(self, op):
        name = op["Name"]
        self.facts["http"] = "%s %s" % (op["Method"], op["Path"])
        if op["Shapes"]:
            self.facts["status"] = op["Status"]
            self.facts["errors"] = " ".join(op["Errors"])
            self.structure("in", name + "Input", ())
            if op["Events"]:
                self.structure("out.<events>", op["Events"], ())
            else:
                self.structure("out", name + "Output", ())
        return self.facts

    def structure(self, path, name, above):
        if name in above:
            return
        for m in self.model["Structs"][name]["Members"] or []:
            wire = m["GoName"][0].lower() + m["GoName"][1:]
            if m["Wire"] in EXTRA:
                continue
            at = f"{path}.{wire}"
            place = m["In"] if m["In"] in ("json", "payload", "uri") else f"{m['In']} {m['Wire']}"
            self.facts[at] = f"{place}{' required' if m['Required'] else ''}"
            self.shape(at, m["Type"], above + (name,))

    def shape(self, at, t, above):
        self.facts[at + ":type"] = t["Kind"]
        self.limits(at, t["Limits"])
        if t["Enum"]:
            self.facts[at + ":enum"] = " ".join(sorted(self.model["Enums"][t["Enum"]]))
        if t["Kind"] == "map":
            self.limits(at + "<key>", t["Key"])
        if t["Elem"]:
            self.shape(at + "[]", t["Elem"], above)
        if t["Ref"]:
            self.structure(at, t["Ref"], above)

    def limits(self, at, limits):
        low, _, high = limits["Bounds"].partition("..")
        self.facts[at + ":bounds"] = bounds(low, high)
        self.facts[at + ":pattern"] = self.model["Patterns"].get(limits["Pattern"], "")


class BotoModel:
    def __init__(self, model):
        self.shapes = model["shapes"]
        self.model = model
        self.facts = {}

    def operation(self, name):
        op = self.model["operations"][name]
        self.facts["http"] = "%s %s" % (op["http"]["method"], op["http"]["requestUri"].replace("+}", "...}"))
        self.facts["status"] = op["http"].get("responseCode", 200)
        self.facts["errors"] = " ".join(sorted(e["shape"] for e in op.get("errors", [])))
        if "input" in op:
            self.structure("in", op["input"]["shape"], ())
        if "output" in op:
            self.output(op["output"]["shape"])
        return self.facts

    def output(self, name):
        """An event stream's events stand for the output that carries them."""
        for ref in self.shapes[name]["members"].values():
            if self.shapes[ref["shape"]].get("eventstream"):
                self.structure("out.<events>", ref["shape"], ())
                return
        self.structure("out", name, ())

    def structure(self, path, name, above):
        if name in above:
            return
        shape = self.shapes[name]
        for wire, ref in shape["members"].items():
            if self.shapes[ref["shape"]].get("exception"):
                continue  # in event streams; the SDK has them elsewhere
            at = f"{path}.{wire}"
            required = " required" if wire in shape.get("required", ()) else ""
            self.facts[at] = self.place(shape, wire, ref) + required
            self.shape(at, ref["shape"], above + (name,))

    @staticmethod
    def place(shape, wire, ref):
        if shape.get("payload") == wire:
            return "payload"
        location = {"uri": "uri", "querystring": "query", "header": "header"}.get(ref.get("location"))
        if not location:
            return "json"
        return location if location == "uri" else f"{location} {ref['locationName']}"

    def shape(self, at, name, above):
        s = self.shapes[name]
        kind = "document" if s.get("document") else KINDS.get(s["type"], s["type"])
        self.facts[at + ":type"] = kind
        self.limits(at, s)
        if "enum" in s:
            self.facts[at + ":enum"] = " ".join(sorted(s["enum"]))
            self.facts[at + ":bounds"] = self.facts[at + ":pattern"] = ""  # the values say more
        if kind == "list":
            self.shape(at + "[]", s["member"]["shape"], above)
        elif kind == "map":
            self.limits(at + "<key>", self.shapes[s["key"]["shape"]])
            self.shape(at + "[]", s["value"]["shape"], above)
        elif kind == "structure":
            self.structure(at, name, above)

    def limits(self, at, s):
        self.facts[at + ":bounds"] = bounds(s.get("min"), s.get("max"))
        self.facts[at + ":pattern"] = s.get("pattern", "")


def compare(name, routes):
    mine, reference = ours(name), theirs(name)
    differences, compared = [], 0
    for op in sorted(set(mine) | set(reference)):
        a, b = mine.get(op), reference.get(op)
        if a is None or b is None:
            if routes:
                differences.append(f"{name} {op}: {'only botocore has it' if a is None else 'only we have it'}")
            continue
        if "status" not in a:  # routed only
            if routes and a["http"] != b["http"]:
                differences.append(f"{name} {op} http: ours {a['http']!r}, botocore's {b['http']!r}")
            continue
        compared += 1
        for fact in sorted(set(a) | set(b)):
            if a.get(fact, "") != b.get(fact, ""):
                differences.append(f"{name} {op} {fact}: ours {a.get(fact)!r}, botocore's {b.get(fact)!r}")
    return differences, compared


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--routes", action="store_true", help="compare the routes of operations without shapes too")
    routes = args.parse_args().routes
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    failed = False
    for name in SERVICES:
        differences, compared = compare(name, routes)
        for d in differences:
            print(d)
        print(f"{name}: {compared} operations compared with botocore {botocore.__version__}, {len(differences)} differences")
        failed = failed or bool(differences) or compared == 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
