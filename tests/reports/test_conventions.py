import dataclasses
from pathlib import Path

import simhw.arrays
from simhw.arrays.base import Overlap
from simhw.reports.conventions import DATAFLOWS, OVERLAPS, conventions


def test_every_overlap_is_explained():
    assert set(OVERLAPS) == set(Overlap)


def test_every_dataflow_is_explained():
    folder = Path(simhw.arrays.__file__).parent
    assert {path.stem for path in folder.glob("*_stationary.py")} <= set(DATAFLOWS)


def test_words_for_a_run(llama_rows):
    words = dict(conventions(llama_rows))
    assert words["Amount"] == "32 samples, 4,096 tokens"
    assert words["PE array"] == "32 rows x 32 columns"
    assert words["Dataflow"].startswith("output stationary: each PE keeps one output")
    assert words["Overlap"].startswith("none: ")
    assert words["Technology"] == "horowitz_45nm"
    assert "fp16 on the same rows x columns" in words["Speed-up, energy ratio"]


def test_the_vector_unit_is_part_of_the_overlap(llama_rows):
    other = dataclasses.replace(llama_rows[0], overlap="per_fold, vector unit pipelined")
    assert dict(conventions([llama_rows[0]]))["Overlap"].endswith("; vector steps wait until the array has finished")
    words = dict(conventions([other]))["Overlap"]
    assert words.startswith("per fold, vector unit pipelined: a fold drains while")
    assert words.endswith("; vector steps work on one part of the array's results while it computes the next")


def test_different_conventions_are_all_named(llama_rows):
    other = dataclasses.replace(llama_rows[1], dataflow="spiral", technology="jouppi_7nm", overlap="once")
    words = dict(conventions([llama_rows[0], other]))
    assert words["Dataflow"].endswith("; spiral")
    assert words["Technology"] == "horowitz_45nm; jouppi_7nm"
    assert "; once: " in words["Overlap"]
