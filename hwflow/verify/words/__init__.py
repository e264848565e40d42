"""The one wording of what was found out: numbers, statements, distances."""
