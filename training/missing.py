"""A library that is not installed, as a sentence with the line that installs it."""

from __future__ import annotations

from device.errors import RuntimeMissingError

# What an import names -> what pip calls it, where that is something else.
PACKAGES = {
    "ai_edge_litert": "ai-edge-litert", "keras": "tensorflow-cpu", "librosa": "librosa", "matplotlib": "matplotlib",
    "nacl": "pynacl", "numpy": "numpy", "pooch": "pooch", "requests": "requests", "rich": "rich", "scipy": "scipy",
    "sklearn": "scikit-learn", "soundfile": "soundfile", "soxr": "soxr", "tensorboard": "tensorboard",
    "tensorflow": "tensorflow-cpu", "torch": "torch", "wandb": "wandb", "webrtcvad": "webrtcvad-wheels",
}  # fmt: skip
EVERYTHING = "pip install -r requirements-train.txt"


def missing_library(error: BaseException) -> RuntimeMissingError | None:
    """The sentence for an import that failed for want of a library; None for any other error, which is a defect."""
    if isinstance(error, OSError) and "sndfile" in str(error):
        return RuntimeMissingError("the library soundfile lacks libsndfile", where="soundfile", received=error,
                                   next_step="sudo apt install libsndfile1")  # fmt: skip
    name = (getattr(error, "name", None) or "").split(".")[0] if isinstance(error, ImportError) else ""
    if name not in PACKAGES:
        return None
    return RuntimeMissingError(f"the library {name} is not installed, or does not work here", where=name,
                               received=str(error),
                               next_step=f"pip install {PACKAGES[name]}; or all of them: {EVERYTHING}")  # fmt: skip
