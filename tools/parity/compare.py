"""How far two sets of tensors are apart, and how far they may be."""
import numpy as np

# What is compared: (tolerance, largest seen) with kernels that multiply in float32, and with
# those that round the factors of products to bfloat16. The distance is relative; see distance.
# float32 leaves another order of the sums; a tolerance of 1e-3 or more would let through what
# compare_test.py says it must not. bfloat16 shows that the same network runs, not more.
TOLERANCES = {
    "logits": ((1e-5, 2.8e-6), (0.1, 0.028)),  # of every token, all documents in one batch
    "loss": ((6e-7, 1.7e-7), (4e-3, 1.0e-3)),  # mean over the trained tokens
    "grad": ((5e-5, 1.3e-5), (0.4, 0.14)),  # of every tensor
    "step": ((4e-4, 1.3e-4), (0.9, 0.53)),  # what ten steps of AdamW added to every tensor
    "losses": ((3e-5, 1.1e-5), (0.3, 0.085)),  # of these steps; the largest with AVX2, 3.0e-6 with AVX-512
    "cached": ((6e-6, 1.9e-6), (0.1, 0.038)),  # logits of each generated token
    "greedy": ((1e-6, 0), (0.1, 0.028)),  # best logit less that of the token chosen, in σ of the row
    "saved": ((0, 0), (0.05, 0.015)),  # logits of the saved model in transformers; float16 becomes bfloat16
    "merged": ((1e-5, 2.7e-6), (0.04, 0.011)),  # logits, in transformers, of the model with the adapter merged
    "command": ((4e-6, 1.3e-6), (0.015, 3.5e-3)),  # outcrop model logits
}

# A row that is nearly zero is measured against this part of the mean row.
FLOOR = 0.1


class Differs(Exception):
    """Two sets that cannot be compared: a tensor is missing, has another shape, or is not finite."""


def distance(got, want):
    """Returns the largest distance of two rows, as a part of the wanted row's norm.

    Rows are measured on their own, so that a wrong one among many does not hide.
    """
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape != want.shape:
        raise Differs(f"shape {list(got.shape)}, want {list(want.shape)}")
    if not np.isfinite(want).all():
        raise Differs("the reference is not finite")
    if not np.isfinite(got).all():
        raise Differs("not finite")
    got, want = np.atleast_2d(got), np.atleast_2d(want)
    norms = np.linalg.norm(want, axis=-1)
    if not norms.any():
        raise Differs("the reference is zero: it shows nothing")
    scale = np.maximum(norms, FLOOR * np.sqrt((norms**2).mean()))
    return float((np.linalg.norm(got - want, axis=-1) / scale).max())


def distances(got, want):
    """Returns the distance of every tensor of two dicts by name."""
    if missing := sorted(want.keys() - got.keys()):
        raise Differs(f"missing: {', '.join(missing)}")
    if unknown := sorted(got.keys() - want.keys()):
        raise Differs(f"not in the reference: {', '.join(unknown)}")
    out = {}
    for name in want:
        try:
            out[name] = distance(got[name], want[name])
        except Differs as e:
            raise Differs(f"{name}: {e}") from None
    return out


def moved(tensors, start):
    """Returns how far each tensor has come from start: what training did to it."""
    return {n: np.asarray(t, np.float64) - start[n] if n in start else t for n, t in tensors.items()}
