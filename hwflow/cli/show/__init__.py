"""What the command line prints: rich tables for people, JSON for programs."""
