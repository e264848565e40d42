"""Names that are safe in C++, Tcl, a shell and a path, made from names that may be hostile."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 48
"""Longest name that is kept whole: paths with it stay well under file system limits."""

_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept
const consteval constexpr constinit continue decltype default delete do double else enum
explicit export extern false float for friend goto if inline int long mutable namespace new
noexcept not not_eq nullptr operator or or_eq private protected public register requires return
short signed sizeof static struct switch template this throw true try typedef typeid typename
union unsigned using virtual void volatile wchar_t while xor xor_eq input output main nnet hls
std firmware weights traces sizes samples in out s i argc argv
fail refused
alloca assert assert_perror errno issubnormal linux math_errhandling offsetof sched_priority stderr
stdin stdout strdupa strndupa unix
"""
_CPP = frozenset(_WORDS.split())
"""C++ keywords, macros in small letters, identifiers of hls4ml's files or the simulation bench."""

_TAKEN = re.compile(
    r"layer\d+\w*|[a-z]\d+|config\d+|\w+_t|\w+_data|n_\w+"
    r"|ap_\w+|(?-i:[A-Z0-9_]+|[A-Z]_\w+)|pthread_\w+|[bl]e\d+toh|hto[bl]e\d+",
    re.IGNORECASE,
)
"""Forms of the identifiers that hls4ml makes up itself, and of macros in the headers it includes;
the top function must look like neither."""


ACTIVATIONS = "linear|relu|leaky_relu|prelu|sigmoid|tanh|softplus|softmax"
"""What hls4ml puts before ``_config`` in the configurations of activations."""

FUNCTIONS = "fill_buffer|dense_da|dense_da_wrapper|dense_resource_unrolled"
"""Functions that hls4ml writes for single layers (``im2col_codegen.py``,
``distributed_arithmetic.py`` and ``unrolled_codegen.py`` of its Vivado backend)."""

_NUMBERED = re.compile(rf"(?:(?:{ACTIVATIONS})_)?config\d|{FUNCTIONS}", re.IGNORECASE)
"""How names start that hls4ml ends with a layer's number; they get its name behind that."""


def sanitize(name: str, fallback: str = "layer") -> str:
    """Return ``name`` reduced to ``[A-Za-z][A-Za-z0-9_]*``, without two underscores in a row.

    That is the name of a layer. In C++ it never stands alone, but is part of longer names
    (``config2_conv1``, ``conv1_weight_t``), so that it may be any word.

    Args:
        name: any text.
        fallback: what to put before a name that cannot stand by itself.
    """
    text = re.sub(r"[^A-Za-z0-9]+", "_", name)[:LONGEST].strip("_")
    if not text:
        return fallback
    if text[0].isdigit() or _NUMBERED.match(text):
        text = f"{fallback}_{text}"
    return text


def graph_name(name: str, ports: Iterable[str]) -> str:
    """Return the name of the top function for a model: no word of C++, no macro, no port of it.

    Args:
        name: any text.
        ports: names of the input layers.
    """
    found = sanitize(name, "net")
    if found.lower() in _CPP or _TAKEN.fullmatch(found):
        found = f"net_{found}"
        if found.endswith(("_t", "_data")):
            found += "x"
    return f"net_{found}" if found.lower() in {port_name(p).lower() for p in ports} else found


def port_name(name: str) -> str:
    """Return what an input is called in C++, and so in hardware.

    No keyword of C++, Verilog or VHDL ends like this, no macro of the headers, and nothing that
    hls4ml makes up where ports can be seen: its results end with ``_out``, its types with ``_t``.
    """
    return f"{name}_in"


def output_name(name: str) -> str:
    """Return what an output is called in C++, whatever the model calls it, as ``port_name``."""
    return f"{sanitize(name, 'port')}_out"


class Names:
    """Hands out names in C++ that are unique, upper and lower case counted as the same."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """Take the names that there are already."""
        self._used = {name.lower() for name in taken}

    def unique(self, name: str) -> str:
        """Return a name, or the first of those with a number behind it that is free."""
        candidate, number = name, 2
        while candidate.lower() in self._used:
            candidate, number = f"{name}_{number}", number + 1
        self._used.add(candidate.lower())
        return candidate


class Namer:
    """Hands out names of layers that are unique, upper and lower case counted as the same.

    So are the names that hls4ml makes of them: ``clone_a`` of the layer that copies the stream of
    ``a``, and the types ``a_exp_table_t`` of a softmax, which a table in a layer ``a_exp`` has too.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    @property
    def used(self) -> frozenset[str]:
        """What was handed out, in small letters."""
        return frozenset(self._used)

    def take(self, names: Iterable[str]) -> None:
        """Hand out names as before."""
        self._used.update(names)

    def unique(self, name: str, *, port: bool = False) -> str:
        """Return a safe name that was not handed out before."""
        base = sanitize(name, "port" if port else "layer")
        if base.lower() == "input" and not port:  # hls4ml has one layer of that name itself
            base = f"layer_{base}"
        candidate, number = base, 2
        while self._used & _made_of(candidate, port=port):
            candidate, number = f"{base}_{number}", number + 1
        self._used |= _made_of(candidate, port=port)
        return candidate

    def label(self, name: str, kind: str) -> str:
        """Return ``name``, or ``name`` with the operator's kind where ``name`` is taken."""
        return name if sanitize(name).lower() not in self._used else f"{name}_{kind.lower()}"


def _made_of(name: str, *, port: bool) -> set[str]:
    """Return a name with those that are made of it, in small letters."""
    low = name.lower()
    return {low, f"clone_{low}", f"{low}_exp", f"{low}_inv"} | ({port_name(low)} if port else set())
