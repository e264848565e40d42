"""Damages files of every format with their structure in mind, and lets hwflow read them.

A stranger's file may be anything. Bytes that are flipped at random are mostly refused by the
first check; here fields, offsets, types, headers and members of archives change, so that what
is read is well formed on the outside and wrong further in. Each file has to be read, or refused
with a code, within 20 s and 2 GB.

    python -m tests.fuzz_files --files 10000
"""
