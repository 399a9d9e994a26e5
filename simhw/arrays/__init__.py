"""A GEMM on an array of processing elements: one dataflow per file, cycles, words moved, summation order."""

from simhw.arrays.area import ArrayArea, array_area
from simhw.arrays.base import Gemm, Overlap, Schedule
from simhw.arrays.dataflow import Dataflow, dataflow_names, get_dataflow, schedule
from simhw.arrays.dequantize import DequantizationWork, Grouping, dequantization_energy_pj, dequantization_work
from simhw.arrays.vector_unit import VectorOverlap, VectorUnit, check_overlaps

__all__ = [
    "ArrayArea",
    "Dataflow",
    "DequantizationWork",
    "Gemm",
    "Grouping",
    "Overlap",
    "Schedule",
    "VectorOverlap",
    "VectorUnit",
    "array_area",
    "check_overlaps",
    "dataflow_names",
    "dequantization_energy_pj",
    "dequantization_work",
    "get_dataflow",
    "schedule",
]
