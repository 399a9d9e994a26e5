"""Systolic arrays as circuits: wiring around PEs, the streams that feed them, and their comparison with the emulator."""
