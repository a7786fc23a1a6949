"""Writes format/safetensors/testdata/golden.safetensors with the reference implementation.

    pip install safetensors==0.8.0 numpy==2.4.6 ml_dtypes==0.6.0
    python tools/golden/safetensors_golden.py
"""

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

save_file(
    {
        "f32": np.array([0, 1, -2.5, 3.4028235e38], np.float32),
        "f16": np.array([6.1035156e-05, 5.9604645e-08, -65504, 1 / 3], np.float16),
        "bf16": np.array([[1, -1 / 3], [3.3895314e38, 0]], ml_dtypes.bfloat16),
    },
    "format/safetensors/testdata/golden.safetensors",
    metadata={"format": "pt"},
)
