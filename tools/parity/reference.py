"""What transformers and torch compute: the files that Outcrop is compared with.

    CASE/model/               the model as save_pretrained writes it
    CASE/adapter/             the adapter as peft writes it, if the case has one
    CASE/case.json            what Outcrop is to compute: documents, optimizer, prompt
    CASE/ref/start, grad, step: the weights at first, their gradients, the weights after the steps,
                              each as save_pretrained writes them
    CASE/ref/logits.safetensors; ref.json: loss, losses of the steps, tokens

Everything runs in float32 on one thread, so that the files are the same every time.
"""
import json
import math
import shutil
import zlib
from pathlib import Path

import peft
import torch
import transformers as hf
from safetensors.torch import save_file

IGNORE = -1  # Outcrop's target of a token that is not trained
LENGTHS = (33, 1, 14)  # of the documents; one packed batch in Outcrop
PROMPT = 19  # tokens of the first document that generation goes on from
GENERATED = 12  # tokens
# eps is larger than usual: it shows then, and keeps AdamW, which divides a gradient by its own
# size, from making steps of what rounding leaves where the gradient is zero. (Of a key bias
# without rotary embedding it is: softmax does not see what is added to all keys.)
ADAMW = dict(lr=5e-3, beta1=0.9, beta2=0.999, eps=1e-5, weight_decay=0.05, clip=1.0, steps=10)


def build(case):
    """Returns the case's model with every weight random, and the generator that drew them."""
    g = torch.Generator().manual_seed(zlib.crc32(case.name.encode()))
    model = hf.AutoModelForCausalLM.from_config(case.config, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(draw(name, p, g))
    return model, g


def load(path):
    """Loads a model directory to compute in float32."""
    model = hf.AutoModelForCausalLM.from_pretrained(path, attn_implementation="eager", dtype=torch.float32).eval()
    for p in model.parameters():
        p.data = p.data.clone()  # a tensor's place in its file must not choose torch's loops
    return model


def draw(name, p, g):
    """Returns weights that matter: norms that are not one, biases that are not zero."""
    x = torch.randn(p.shape, generator=g)
    if p.dim() == 1:
        # The norms that multiply by 1+w begin at 0, the others at 1: stay near either.
        return p.round().clamp(0, 1) + 0.3 * x
    return 0.15 * x if "embed" in name or "wte" in name or "wpe" in name else x / math.sqrt(p.shape[-1])


def adapt(model, lora, g):
    """Returns model with an adapter of random factors; peft's own B is zero.

    They are small beside the weights: what is badly conditioned shows rounding, not errors.
    """
    config = peft.LoraConfig(
        task_type="CAUSAL_LM", r=lora.rank, lora_alpha=lora.alpha, target_modules=lora.targets, use_rslora=lora.rslora,
        fan_in_fan_out=model.config.model_type == "gpt2")  # whose matrices are (in,out)
    model = peft.get_peft_model(model, config).eval()
    with torch.no_grad():
        for p in trained(model):
            p.copy_(0.4 * torch.randn(p.shape, generator=g) / math.sqrt(p.shape[-1]))
    return model


def load_adapter(base, path):
    """Loads a model directory with an adapter's."""
    return peft.PeftModel.from_pretrained(load(base), path).eval()


def documents(vocab, g):
    """Returns (tokens, targets) of each document: a target is the next token, some are not trained."""
    out = []
    for n in LENGTHS:
        tokens = torch.randint(vocab, (n,), generator=g)
        targets = torch.cat((tokens[1:], torch.tensor([IGNORE])))
        targets[: n // 4] = IGNORE  # a prompt
        targets[n // 2] = IGNORE
        out.append((tokens, targets))
    return out


def logits(model, docs):
    """Returns the logits (N,V) of all documents, each on its own."""
    return torch.cat([model(input_ids=t[None]).logits[0] for t, _ in docs])


def loss(model, docs):
    """Returns the mean loss over the trained tokens of all documents, as transformers counts it."""
    n = sum(int((t >= 0).sum()) for _, t in docs)
    total = 0
    for tokens, targets in docs:
        if (targets >= 0).any():
            labels = torch.full_like(tokens, -100)
            labels[1:] = torch.where(targets[:-1] >= 0, tokens[1:], -100)
            total = total + model(input_ids=tokens[None], labels=labels[None], num_items_in_batch=n).loss
    return total


def trained(model):
    return [p for p in model.parameters() if p.requires_grad]


def gradients(model, docs):
    model.zero_grad()
    loss(model, docs).backward()
    return [p.grad.clone() for p in trained(model)]


def steps(model, docs, a):
    """Runs AdamW as Outcrop does: matrices decay, vectors do not. Returns the loss of each step."""
    ps = trained(model)
    groups = [
        dict(params=[p for p in ps if p.dim() > 1], weight_decay=a["weight_decay"]),
        dict(params=[p for p in ps if p.dim() == 1], weight_decay=0.0),
    ]
    opt = torch.optim.AdamW(groups, lr=a["lr"], betas=(a["beta1"], a["beta2"]), eps=a["eps"])
    losses = []
    for _ in range(a["steps"]):
        opt.zero_grad()
        value = loss(model, docs)
        value.backward()
        torch.nn.utils.clip_grad_norm_(ps, a["clip"])
        opt.step()
        losses.append(float(value.detach()))
    return losses


def generate(model, prompt):
    """Returns the tokens that greedy search with a cache adds to prompt, whatever they are."""
    out = model.generate(
        input_ids=prompt[None], attention_mask=torch.ones_like(prompt[None]), do_sample=False, use_cache=True,
        min_new_tokens=GENERATED, max_new_tokens=GENERATED, eos_token_id=None, pad_token_id=0)
    return out[0, len(prompt):].tolist()


def save(model, path, values=None):
    """Saves what is trained, or values in its place: so they get the names that files have."""
    ps = trained(model)
    kept = [p.detach().clone() for p in ps]
    for p, v in zip(ps, values or kept, strict=True):
        p.data.copy_(v)
    model.save_pretrained(path)
    for p, k in zip(ps, kept, strict=True):
        p.data.copy_(k)


def write(case, at: Path):
    """Writes the directory of a case."""
    shutil.rmtree(at, ignore_errors=True)
    (at / "ref").mkdir(parents=True)
    model, g = build(case)
    docs = documents(case.config.vocab_size, g)
    model.to(getattr(torch, case.dtype)).save_pretrained(at / "model", max_shard_size=case.shard)
    model = load(at / "model")
    if case.lora:
        model = adapt(model, case.lora, g)
        model.save_pretrained(at / "adapter")
    (at / "case.json").write_text(json.dumps(dict(
        documents=[dict(tokens=t.tolist(), targets=y.tolist()) for t, y in docs],
        adapter=case.lora is not None, train=case.train, adamw=ADAMW,
        prompt=docs[0][0][:PROMPT].tolist(), generate=GENERATED)))
    with torch.no_grad():
        save_file({"logits": logits(model, docs).contiguous()}, at / "ref/logits.safetensors")
        ref = dict(loss=float(loss(model, docs)), tokens=generate(model, docs[0][0][:PROMPT]))
    if case.train:
        save(model, at / "ref/start")
        save(model, at / "ref/grad", gradients(model, docs))
        ref["losses"] = steps(model, docs, ADAMW)
        save(model, at / "ref/step")
    (at / "ref/ref.json").write_text(json.dumps(ref))
