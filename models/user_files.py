"""Networks from files of the user: a module's factory, an ONNX file, a Hugging Face folder, a GGUF file.

* ``path/net.py:factory`` - ``factory()`` returns the module; the file is run as Python. Data: ``.npz`` with ``inputs``
  ``(samples, ...)`` and, if they are known, ``targets`` (class labels) and ``calibration``.
* ``path/net.onnx``, or ``path/net.onnx:OUTPUT`` for another than its first output. Data: the same ``.npz``; of a file
  with several inputs, an array under the name of each in place of ``inputs``.
* a folder with ``config.json``, ``*.safetensors`` and ``tokenizer.json``, or a ``.gguf`` file: Llama-style decoders.
  Data: text.

Without targets the metric is how often the class is that of the float reference.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.graph.base import columns
from simhw.graph.network import Dataset, Metric, Network

CALIBRATION = 16
"""Samples for static ranges, where a file has none of their own: the first ones."""


def network_of(path: str, data: str | None) -> Network:
    """Return the network of a path (see the module).

    Raises:
        InputError: a file is missing or cannot be read, or the module and its data do not fit.
    """
    if ".py:" in path:
        file, _, factory = path.rpartition(":")
        return _module_network(path, f"{factory} of {file}", Path(file).stem, data, lambda: _load(file, factory))
    if path.endswith(".onnx") or ".onnx:" in path:
        return _onnx_network(path, data)
    from simhw.models.llama_files import llama_network

    return llama_network(path, data)


def _onnx_network(path: str, data: str | None) -> Network:
    from simhw.graph.frontends.onnx import load_onnx

    file, _, output = path.partition(".onnx")
    module = load_onnx(f"{file}.onnx", output.removeprefix(":") or None)
    description = f"output {module.result} of {module.file}"
    network = _module_network(path, description, Path(file).stem, data, lambda: module, module.inputs)
    return replace(network, stored=dict)  # what it stores is known when it is imported


def _module_network(
    path: str,
    description: str,
    name: str,
    data: str | None,
    load: Callable[[], torch.nn.Module],
    fields: tuple[str, ...] = (),
) -> Network:
    """Return the network of a module and the arrays of a file; ``fields`` are its inputs where it has several."""
    if data is None:
        wanted = " and ".join(fields) if len(fields) > 1 else "inputs"
        raise InputError(f"model is {path!r}, which has no data of its own; add --data FILE.npz with {wanted}")
    arrays = read_arrays(data, fields)
    module = load()
    given = "targets" in arrays

    def dataset(samples: int | None, tokens: int | None) -> Dataset:
        if tokens is not None:
            raise InputError(f"tokens is {tokens}, the data of {path} are samples; give --samples")
        most = len(arrays["inputs"])
        count = most if samples is None else samples
        if not 1 <= count <= most:
            raise InputError(f"samples is {count}, must be 1..{most}; that is all that {data} holds")
        inputs = arrays["inputs"][:count]
        targets = arrays["targets"][:count] if given else _classes(module, inputs, path)
        return Dataset(inputs=inputs, targets=targets, unit="sample", units=count)

    return Network(
        name=name,
        description=description,
        source=path,
        licence="the user's own",
        metric=TOP1 if given else AGREEMENT,
        load=lambda: module,
        dataset=cache(dataset),
        calibration=lambda: arrays.get("calibration", arrays["inputs"][:CALIBRATION]),
    )


def read_arrays(data: str, fields: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file: ``inputs``, and ``targets`` and ``calibration`` where there are any.

    Several ``fields`` are read one by one and become the fields of a structured array ``inputs``.

    Raises:
        InputError: the file cannot be read, lacks inputs, or its arrays do not fit each other.
    """
    several = fields if len(fields) > 1 else ()
    try:
        with np.load(data, allow_pickle=False) as file:
            names = [name for name in ("inputs", "targets", "calibration", *several) if name in file.files]
            arrays = {name: file[name] for name in names}
            other = file.files
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"data file {data!r} cannot be read ({error}); give an .npz file") from error
    except Exception as error:  # zipfile and zlib raise their own
        raise InputError(f"data file {data!r} is damaged ({error}); give an .npz file") from error
    for name in several or ("inputs",):
        if name not in arrays:
            raise InputError(
                f"data file {data!r} holds {', '.join(other) or 'nothing'}, must hold {', '.join(several) or 'inputs'}"
                "; rename the array"
            )
    for name in several or ("inputs", "calibration"):
        if name in arrays:
            kind = arrays[name].dtype.kind
            if kind not in "fiub" or not arrays[name].ndim or not len(arrays[name]):
                raise InputError(f"{name} of {data} is {arrays[name].dtype} of {arrays[name].shape}; give numbers")
            arrays[name] = arrays[name].astype({"f": np.float32, "b": np.bool_}.get(kind, np.int64))
    if several:
        lengths = {name: len(arrays[name]) for name in several}
        if len(set(lengths.values())) > 1:
            raise InputError(f"{data} has {lengths} samples of its inputs; give the same number of each")
        kinds = [(name, arrays[name].dtype, arrays[name].shape[1:]) for name in several]
        arrays["inputs"] = np.empty(len(arrays[several[0]]), kinds)
        for name in several:
            arrays["inputs"][name] = arrays[name]
        arrays.pop("calibration", None)
    if "targets" in arrays and len(arrays["targets"]) != len(arrays["inputs"]):
        raise InputError(
            f"{data} has {len(arrays['targets'])} targets for {len(arrays['inputs'])} inputs; give one each"
        )
    return arrays


def _load(file: str, factory: str) -> torch.nn.Module:
    """Run the user's file and return what its factory makes, in eval mode."""
    place = Path(file)
    spec = importlib.util.spec_from_file_location(f"simhw_user_{place.stem}", place)
    if not place.is_file() or spec is None or spec.loader is None:
        raise InputError(f"model file {file!r} does not exist; give path/module.py:factory")
    code = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = code  # dataclasses and pickles look their module up
    try:
        spec.loader.exec_module(code)
        made = getattr(code, factory)()
    except Exception as error:  # the user's own code
        raise InputError(f"{file}:{factory} raised {type(error).__name__}: {error}; correct the file") from error
    if not isinstance(made, torch.nn.Module):
        raise InputError(f"{file}:{factory} returned {type(made).__name__}, must return a torch.nn.Module")
    return made.eval()


def _classes(module: torch.nn.Module, inputs: NDArray[Any], path: str) -> NDArray[np.int64]:
    """Return the class that the module itself gives each sample."""
    try:
        with torch.no_grad():
            logits = np.concatenate(
                [
                    module(*map(torch.from_numpy, columns(part))).numpy()
                    for part in np.array_split(inputs, len(inputs) if getattr(module, "samples", None) == 1 else 8)
                    if len(part)
                ]
            )
    except InputError:
        raise
    except Exception as error:  # the user's own code
        raise InputError(f"{path} cannot run on its data of shape {inputs.shape} ({error}); check both") from error
    return np.asarray(logits.argmax(axis=-1), np.int64)


def _share(logits: NDArray[np.float32], dataset: Dataset) -> float:
    if logits.shape[:-1] != dataset.targets.shape:
        raise InputError(
            f"outputs have shape {logits.shape}, targets {dataset.targets.shape}; give one class per row of outputs"
        )
    return float((logits.argmax(axis=-1) == dataset.targets).mean())


TOP1 = Metric(name="top1", higher_is_better=True, evaluate=lambda logits, data: {"top1": _share(logits, data)})
AGREEMENT = Metric(
    name="agreement", higher_is_better=True, evaluate=lambda logits, data: {"agreement": _share(logits, data)}
)
"""With the class of the float reference."""
