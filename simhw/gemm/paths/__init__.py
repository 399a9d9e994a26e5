"""How the engine runs each accumulator: planning and kernels, one file per accumulator kind."""
