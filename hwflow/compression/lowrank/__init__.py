"""Low rank: a layer becomes two or three smaller ones, where their hardware is cheaper."""
