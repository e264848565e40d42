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
a port must look like neither."""


_CONFIGURATION = re.compile(r"config\d", re.IGNORECASE)
"""How hls4ml's names of configurations start, which get the layer's name behind the number."""


def sanitize(name: str, fallback: str = "layer", *, port: bool = False) -> str:
    """Return ``name`` reduced to ``[A-Za-z][A-Za-z0-9_]*``, and never a C++ keyword.

    Args:
        name: any text.
        fallback: what to put before a name that cannot stand by itself.
        port: the name becomes a C++ variable, so it must not be one that hls4ml makes up.
    """
    text = re.sub(r"[^A-Za-z0-9]+", "_", name)[:LONGEST].strip("_")
    if not text:
        text = fallback
    if text[0].isdigit():
        text = f"{fallback}_{text}"
    reserved = _CONFIGURATION.match(text) or (port and _TAKEN.fullmatch(text))
    if text.lower() in _CPP or reserved:
        text = f"{fallback}_{text}"
        if text.endswith(("_t", "_data")):
            text += "x"
    return text


def graph_name(name: str, ports: Iterable[str]) -> str:
    """Return the name of the top function for a model; none of its ports has the same one."""
    found = sanitize(name, "net", port=True)
    return f"net_{found}" if found.lower() in {p.lower() for p in ports} else found


class Namer:
    """Hands out names that are unique, upper and lower case counted as the same."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def unique(self, name: str, *, port: bool = False) -> str:
        """Return a safe name that was not handed out before."""
        base = sanitize(name, "port" if port else "layer", port=port)
        candidate, number = base, 2
        while candidate.lower() in self._used:
            candidate, number = f"{base}_{number}", number + 1
        self._used.add(candidate.lower())
        return candidate

    def label(self, name: str, kind: str) -> str:
        """Return ``name``, or ``name`` with the operator's kind where ``name`` is taken."""
        return name if sanitize(name).lower() not in self._used else f"{name}_{kind.lower()}"
