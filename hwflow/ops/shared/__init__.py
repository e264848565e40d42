"""What several operators share; the operators themselves are one file each, a folder above."""
