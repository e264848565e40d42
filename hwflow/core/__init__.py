"""What every room stands on: errors, settings, boards, files, limits, programs."""
