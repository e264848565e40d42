"""``hwflow compress auto``: from requirements to a verified build, by all methods there are."""
