"""What is done with circuits: Verilog, simulation of gates, comparison with definitions, proofs, synthesis."""
