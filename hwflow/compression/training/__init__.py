"""Training in torch: quantisers with learned bits, their cost, and the loop."""
