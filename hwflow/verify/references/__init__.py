"""What hardware and trained model are judged by, independent of passes and operators."""
