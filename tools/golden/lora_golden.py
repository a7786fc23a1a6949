"""Writes engine/model/testdata/lora: an adapter of PEFT's on the Llama of llama_golden.py, and what
transformers and PEFT compute with it in float32 on the CPU, for TestGolden of package train.

    python3 tools/golden/lora_golden.py engine/model/testdata/llama_golden.safetensors engine/model/testdata/lora

Needs torch, transformers, peft and safetensors. In the directory: adapter_config.json and
adapter_model.safetensors as PEFT's save_pretrained writes them, with a random B; and
golden.safetensors with logits of every token, grad.NAME for every factor under the names of
adapter_model.safetensors, and losses, the mean loss before each of 10 steps of AdamW. The
documents and the numbers of the optimizer are those of the Llama's file. The adapter has a
rank of 6, rsLoRA, and some of the linear layers only, one of them in one layer only.
"""
import json
import os
import sys

import peft
import torch
import torch.nn.functional as F
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

SEED = 20240608
TARGETS = ["q_proj", "v_proj", "up_proj", "down_proj", "model.layers.1.self_attn.o_proj"]


def read(path):
    with safe_open(path, "pt") as f:
        return {k: f.get_tensor(k) for k in f.keys()}, f.metadata()


def base(tensors, meta):
    config = transformers.LlamaConfig(**{k: v for k, v in json.loads(meta["config"]).items() if k not in ("model_type", "torch_dtype")})
    m = transformers.LlamaForCausalLM(config).float()
    state = {k.removeprefix("weight."): v for k, v in tensors.items() if k.startswith("weight.")}
    missing, unexpected = m.load_state_dict(state, strict=False)
    assert not unexpected and not missing, (missing, unexpected)
    return m


def documents(tensors, meta):
    at, out = 0, []
    for n in json.loads(meta["lengths"]):
        out.append((tensors["tokens"][at:at + n].long(), tensors["targets"][at:at + n].long()))
        at += n
    return out


def loss(m, docs):
    total, n, logits = 0.0, 0, []
    for tokens, targets in docs:
        y = m(input_ids=tokens[None]).logits[0]
        logits.append(y.detach())
        total = total + F.cross_entropy(y, targets, ignore_index=-1, reduction="sum")
        n += int((targets >= 0).sum())
    return total / n, torch.cat(logits)


def main(llama, out):
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    tensors, meta = read(llama)
    docs = documents(tensors, meta)
    m = peft.get_peft_model(base(tensors, meta), peft.LoraConfig(
        r=6, lora_alpha=9, use_rslora=True, target_modules=TARGETS, task_type="CAUSAL_LM"))
    factors = {k.replace(".default", ""): p for k, p in m.named_parameters() if p.requires_grad}
    for k, p in factors.items():
        if "lora_B" in k:
            torch.nn.init.normal_(p, std=0.1)
    os.makedirs(out, exist_ok=True)
    m.save_pretrained(out)
    os.remove(os.path.join(out, "README.md"))

    first, logits = loss(m, docs)
    first.backward()
    result = {"grad." + k: p.grad.clone() for k, p in factors.items()}
    a, losses = json.loads(meta["adamw"]), []
    optimizer = torch.optim.AdamW(factors.values(), lr=a["lr"], betas=(a["beta1"], a["beta2"]), eps=a["eps"], weight_decay=a["weight_decay"])
    for _ in range(a["steps"]):
        optimizer.zero_grad()
        l, _ = loss(m, docs)
        l.backward()
        torch.nn.utils.clip_grad_norm_(factors.values(), a["clip"])
        optimizer.step()
        losses.append(float(l.detach()))
    save_file(result | {"logits": logits, "losses": torch.tensor(losses)}, os.path.join(out, "golden.safetensors"),
              {"seed": str(SEED), "torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__})


if __name__ == "__main__":
    main(*sys.argv[1:])
