"""CAM++ as its paper and its published weights have it, in PyTorch's functions: the oracle for the Keras layers.

Kept so that the tests need no PyTorch; made anew by

    pip install torch && python -m tests.training.campplus_in_torch

which writes ``campplus_outputs.npy``: what it makes of :func:`features` with :func:`made_up_weights`, ``(2, 192)``.
"""

from pathlib import Path
from typing import Any

import numpy as np

STORED = Path(__file__).with_name("campplus_outputs.npy")
BLOCKS = ((12, 1), (24, 2), (16, 2))
EPSILON = 1e-5


def features() -> np.ndarray:
    """Two made-up clips, float32 ``(2, 298, 80)``, band means taken away."""
    rng = np.random.default_rng(298)
    made = np.cumsum(rng.normal(0, 0.4, (2, 298, 80)), axis=2) + rng.normal(0, 0.5, (2, 298, 80))
    return (made - made.mean(axis=1, keepdims=True)).astype(np.float32)


def made_up_weights() -> dict[str, np.ndarray]:
    """A state dict with the published names and shapes, of a size that keeps every layer about 1."""
    rng = np.random.default_rng(192)
    made: dict[str, np.ndarray] = {}

    def conv(name: str, *shape: int, bias: bool = False) -> None:
        made[f"{name}.weight"] = rng.normal(0, np.sqrt(1.5 / np.prod(shape[1:])), shape)
        if bias:
            made[f"{name}.bias"] = rng.normal(0, 0.3, shape[0])

    def norm(name: str, channels: int, *, affine: bool = True) -> None:
        if affine:
            made[f"{name}.weight"] = rng.uniform(0.7, 1.3, channels)
            made[f"{name}.bias"] = rng.normal(0, 0.2, channels)
        made[f"{name}.running_mean"] = rng.normal(0, 0.2, channels)
        made[f"{name}.running_var"] = rng.uniform(0.6, 1.6, channels)
        made[f"{name}.num_batches_tracked"] = np.array(1)

    conv("head.conv1", 32, 1, 3, 3)
    norm("head.bn1", 32)
    for group in (1, 2):
        for index in (0, 1):
            name = f"head.layer{group}.{index}"
            for number in (1, 2):
                conv(f"{name}.conv{number}", 32, 32, 3, 3)
                norm(f"{name}.bn{number}", 32)
            if index == 0:
                conv(f"{name}.shortcut.0", 32, 32, 1, 1)
                norm(f"{name}.shortcut.1", 32)
    conv("head.conv2", 32, 32, 3, 3)
    norm("head.bn2", 32)
    conv("xvector.tdnn.linear", 128, 320, 5)
    norm("xvector.tdnn.nonlinear.batchnorm", 128)
    channels = 128
    for block, (count, _) in enumerate(BLOCKS, start=1):
        for layer in range(1, count + 1):
            name = f"xvector.block{block}.tdnnd{layer}"
            norm(f"{name}.nonlinear1.batchnorm", channels)
            conv(f"{name}.linear1", 128, channels, 1)
            norm(f"{name}.nonlinear2.batchnorm", 128)
            conv(f"{name}.cam_layer.linear_local", 32, 128, 3)
            conv(f"{name}.cam_layer.linear1", 64, 128, 1, bias=True)
            conv(f"{name}.cam_layer.linear2", 32, 64, 1, bias=True)
            channels += 32
        norm(f"xvector.transit{block}.nonlinear.batchnorm", channels)
        channels //= 2
        conv(f"xvector.transit{block}.linear", channels, 2 * channels, 1)
    norm("xvector.out_nonlinear.batchnorm", channels)
    conv("xvector.dense.linear", 192, 2 * channels, 1)
    norm("xvector.dense.nonlinear.batchnorm", 192, affine=False)
    return {name: value.astype(np.int64 if name.endswith("tracked") else np.float32) for name, value in made.items()}


def in_torch(weights: dict[str, np.ndarray], clips: np.ndarray) -> np.ndarray:
    """float32 ``(n, frames, 80)`` to ``(n, 192)``, before the norm to length 1."""
    import torch
    from torch.nn import functional as f

    w: dict[str, Any] = {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}

    def norm(x: Any, name: str) -> Any:
        affine = (w.get(f"{name}.weight"), w.get(f"{name}.bias"))
        return f.batch_norm(x, w[f"{name}.running_mean"], w[f"{name}.running_var"], *affine, eps=EPSILON)

    def residual(x: Any, name: str, stride: int) -> Any:
        y = f.conv2d(x, w[f"{name}.conv1.weight"], stride=(stride, 1), padding=1)
        y = f.conv2d(f.relu(norm(y, f"{name}.bn1")), w[f"{name}.conv2.weight"], padding=1)
        if stride > 1:
            x = norm(f.conv2d(x, w[f"{name}.shortcut.0.weight"], stride=(stride, 1)), f"{name}.shortcut.1")
        return f.relu(norm(y, f"{name}.bn2") + x)

    def mask(y: Any, name: str, dilation: int) -> Any:
        local = f.conv1d(y, w[f"{name}.linear_local.weight"], padding=dilation, dilation=dilation)
        segments = f.avg_pool1d(y, kernel_size=100, stride=100, ceil_mode=True).repeat_interleave(100, dim=-1)
        context = y.mean(-1, keepdim=True) + segments[..., : y.shape[-1]]
        context = f.relu(f.conv1d(context, w[f"{name}.linear1.weight"], w[f"{name}.linear1.bias"]))
        return local * torch.sigmoid(f.conv1d(context, w[f"{name}.linear2.weight"], w[f"{name}.linear2.bias"]))

    with torch.no_grad():
        # As published: one channel, bands, frames.
        x = torch.from_numpy(clips).permute(0, 2, 1).unsqueeze(1)
        x = f.relu(norm(f.conv2d(x, w["head.conv1.weight"], padding=1), "head.bn1"))
        for group in (1, 2):
            x = residual(residual(x, f"head.layer{group}.0", 2), f"head.layer{group}.1", 1)
        x = f.relu(norm(f.conv2d(x, w["head.conv2.weight"], stride=(2, 1), padding=1), "head.bn2"))
        x = f.conv1d(x.flatten(1, 2), w["xvector.tdnn.linear.weight"], stride=2, padding=2)
        x = f.relu(norm(x, "xvector.tdnn.nonlinear.batchnorm"))
        for block, (count, dilation) in enumerate(BLOCKS, start=1):
            for layer in range(1, count + 1):
                name = f"xvector.block{block}.tdnnd{layer}"
                y = f.conv1d(f.relu(norm(x, f"{name}.nonlinear1.batchnorm")), w[f"{name}.linear1.weight"])
                y = f.relu(norm(y, f"{name}.nonlinear2.batchnorm"))
                x = torch.cat([x, mask(y, f"{name}.cam_layer", dilation)], dim=1)
            name = f"xvector.transit{block}"
            x = f.conv1d(f.relu(norm(x, f"{name}.nonlinear.batchnorm")), w[f"{name}.linear.weight"])
        x = f.relu(norm(x, "xvector.out_nonlinear.batchnorm"))
        x = torch.cat([x.mean(-1), x.std(-1, unbiased=True)], dim=-1).unsqueeze(-1)
        # No ReLU after this norm: with one, the errors are five times as many.
        x = norm(f.conv1d(x, w["xvector.dense.linear.weight"]), "xvector.dense.nonlinear.batchnorm")
        return np.asarray(x.squeeze(-1).numpy(), dtype=np.float32)


if __name__ == "__main__":
    np.save(STORED, in_torch(made_up_weights(), features()))
