"""What a build was made from and what it is, so that two builds can be told apart."""
