"""Reports of vendor tools: read from whole trees, joined to layers, held against estimates."""
