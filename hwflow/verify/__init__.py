"""Whether hardware, golden model and trained model agree; and limits."""
