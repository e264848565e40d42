"""Exploration: which precisions of a network are worth building, with proof where it can be had."""
