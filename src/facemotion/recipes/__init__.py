"""How a network is trained: one TOML file a recipe."""
