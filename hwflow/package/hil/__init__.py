"""Hardware in the loop: the test vectors of a block on a board, and what came back."""
