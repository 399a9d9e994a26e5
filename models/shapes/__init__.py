"""Published shapes of networks, one TOML file each; ``simhw.workloads`` reads them."""
