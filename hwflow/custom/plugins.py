"""Operators of users: Python files, folders and installed packages with ``Op`` subclasses.

Loading a plugin runs its code; that is its purpose. A file is loaded when its path is given, an
installed package when it has an entry point in the group ``hwflow.plugins``.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from hwflow.core.config import Config
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.op import Op
from hwflow.ir.qonnx.model import QONNX_DOMAIN, QUANTIZERS, printable
from hwflow.ops import added, operators_in

GROUP = "hwflow.plugins"
"""Entry points of this group name a module, a package or an operator class."""

_LONGEST_PATH = 4096
"""Longest path that a help names; a system's own limit."""

_CLAIM = re.compile(r"(?:(?P<domain>[\w.-]+)::)?(?P<name>[\w.-]+)")


@dataclass(frozen=True)
class Plugins:
    """Operators beside hwflow's own.

    Attributes:
        operators: the classes, each of its own name and claims.
        warnings: installed plugins that could not be loaded, and why.
    """

    operators: tuple[type[Op], ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    def active(self) -> AbstractContextManager[None]:
        """Return a context in which models may use the operators."""
        return added(self.operators)


def load_plugins(
    sources: Iterable[str | Path | ModuleType | type[Op]] = (), *, installed: bool = True
) -> Plugins:
    """Load plugins, and check that their operators are complete and clash with none.

    Args:
        sources: paths of Python files or package folders, modules, or operator classes.
        installed: load the plugins of installed packages as well.

    Raises:
        CompileError: HW250, a plugin cannot be loaded; HW252 and HW253, two operators claim the
            same; HW256, an operator is incomplete. Carries every finding.
    """
    found: list[type[Op]] = []
    findings: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    for point in _installed(_places()) if installed else ():
        try:
            found += _load_installed(point)
        except CompileError as error:
            warnings += error.diagnostics
    for source in sources:
        try:
            found += _load(source)
        except CompileError as error:
            findings += error.diagnostics
    distinct = {(cls.__name__, operator_file(cls)): cls for cls in found}
    operators = tuple(distinct.values())
    findings += [finding for cls in operators for finding in _check_class(cls)]
    findings += _check_clashes(operators)
    if findings:
        raise CompileError(findings)
    return Plugins(operators, tuple(warnings))


def _places() -> tuple[tuple[str, int], ...]:
    """Return the folders that packages are installed in, and when each changed last."""
    return tuple((p, Path(p).stat().st_mtime_ns) for p in sys.path if Path(p).is_dir())


@lru_cache(maxsize=1)
def _installed(places: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    """Return the entry points of installed plugins; looking takes longer than a compilation."""
    return tuple(entry_points(group=GROUP))


def operator_file(cls: type[Op]) -> str:
    """Return the path of the file that defines an operator, or its module where it has none."""
    try:
        return inspect.getfile(cls)
    except (OSError, TypeError):  # typed into an interpreter
        return cls.__module__


def unasked_plugins(
    settings: Config, plugins: Sequence[str | Path | ModuleType | type[Op]] = ()
) -> tuple[str, ...]:
    """Return the plugins that a settings file names and nobody else does, as it names them.

    Args:
        settings: what the settings file holds.
        plugins: what the user named.
    """
    asked = {Path(plugin).resolve() for plugin in plugins if isinstance(plugin, (str, Path))}
    return tuple(p for p in settings.plugins if (settings.folder / p).resolve() not in asked)


def refuse_unasked(settings: Config, plugins: Sequence[str | Path | ModuleType | type[Op]]) -> None:
    """Refuse a settings file whose plugins the user did not ask for: their code would run.

    Raises:
        CompileError: HW266.
    """
    unasked = unasked_plugins(settings, plugins)
    if unasked:
        paths = (printable(str(settings.folder / path), _LONGEST_PATH) for path in unasked)
        named = " ".join(f"--plugin {path}" for path in paths)
        finding = Diagnostic(
            code="HW266",
            title="plugins of a settings file run code, and nobody asked for it",
            where=f"[plugins] in {settings.source}",
            found=f"paths = {printable(', '.join(unasked))}",
            help=f"add {named} (plugins=[...]), or --trust (trust=True), if you trust them",
        )
        raise CompileError([finding])


def _load(source: str | Path | ModuleType | type[Op]) -> Sequence[type[Op]]:
    """Return the operators of one plugin."""
    if isinstance(source, type):
        return [source]
    if isinstance(source, ModuleType):
        return _found_in(source, source.__name__)
    path = Path(source)
    entry = path / "__init__.py" if path.is_dir() else path
    if not entry.is_file() or entry.suffix != ".py":
        found = "no such file" if not path.exists() else "not a Python file or package"
        raise CompileError([_unloadable(str(path), found, "check the path")])
    return _found_in(_import_file(path.resolve(), entry.resolve()), str(path))


def _import_file(path: Path, entry: Path) -> ModuleType:
    """Import a file or a package folder under a name that stands for its content.

    A plugin that was edited is imported anew; one that was not has the same classes as before.
    """
    content = hashlib.sha256(str(path).encode())
    for part in sorted(path.rglob("*.py")) if path.is_dir() else [entry]:
        content.update(part.read_bytes())
    stem = re.sub(r"\W", "_", path.stem)
    name = f"hwflow_plugin_{stem}_{content.hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    folders = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, entry, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        where = _innermost(error, str(path.parent if path == entry else path)) or str(entry)
        raise CompileError([_unloadable(where, _said(error), "mend the plugin")]) from error
    return module


def _load_installed(point: EntryPoint) -> Sequence[type[Op]]:
    """Return the operators behind an entry point."""
    owner = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "unknown"
    where = f"entry point {point.name!r} = {point.value!r} of the installed package {owner}"
    try:
        loaded = point.load()
    except (Exception, SystemExit) as error:
        warning = _unloadable(where, _said(error), f"update or uninstall {owner}", "warning")
        raise CompileError([warning]) from error
    if isinstance(loaded, ModuleType):
        return _found_in(loaded, where, "warning")
    if isinstance(loaded, type) and issubclass(loaded, Op):
        return [loaded]
    found = f"it names {type(loaded).__name__}, not a module or an operator"
    raise CompileError([_unloadable(where, found, f"update or uninstall {owner}", "warning")])


def _found_in(module: ModuleType, where: str, severity: str = "error") -> Sequence[type[Op]]:
    """Return the operators of a module or package; there must be some."""
    try:
        found = operators_in(module)
    except (Exception, SystemExit) as error:  # a module of the package fails
        folder = str(Path(module.__file__ or "").parent)
        place = _innermost(error, folder) or where
        finding = _unloadable(place, _said(error), "mend the plugin", severity)
        raise CompileError([finding]) from error
    if not found:
        title = "it defines no subclass of hwflow.ir.op.Op"
        help_ = "`hwflow op new NAME` writes one to start from"
        raise CompileError([_unloadable(where, title, help_, severity)])
    return found


def _innermost(error: BaseException, folder: str) -> str:
    """Return file and line of the last frame that lies in a folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    return next(
        (f"{f.filename}:{f.lineno}" for f in reversed(frames) if f.filename.startswith(folder)), ""
    )


def _said(error: BaseException) -> str:
    return printable(f"{type(error).__name__}: {error}".splitlines()[0])


def _unloadable(where: str, found: str, help_: str, severity: str = "error") -> Diagnostic:
    return Diagnostic(
        code="HW250",
        title="a plugin cannot be loaded",
        where=where,
        found=found,
        help=help_,
        severity=severity,
    )


def _check_class(cls: type[Op]) -> Iterator[Diagnostic]:
    """Yield what an operator class lacks."""
    problems = [f"no method {name}" for name in sorted(cls.__abstractmethods__)]
    problems += [p for name in cls.onnx for p in _check_claim(name)]
    if cls.onnx and cls.from_onnx.__func__ is Op.from_onnx.__func__:  # type: ignore[attr-defined]
        problems.append("no classmethod from_onnx, though it claims ONNX operators")
    known = {f.name for f in fields(cls)}
    problems += [f"setting {s!r} is not one of its fields" for s in cls.settings if s not in known]
    if problems:
        yield Diagnostic(
            code="HW256",
            title="an operator class is incomplete",
            where=f"{cls.__name__} in {operator_file(cls)}",
            found="; ".join(problems),
            help="hwflow/ir/op.py describes each member, docs/custom-layers.md shows a whole one",
        )


def _check_claim(name: str) -> Iterator[str]:
    """Yield what is wrong with an entry of ``Op.onnx``."""
    match = _CLAIM.fullmatch(name)
    if match is None:
        yield f"{name!r} in onnx is neither a name nor domain::name"
        return
    quantizer = match["domain"] == QONNX_DOMAIN and match["name"] in QUANTIZERS
    if match["domain"] == "ai.onnx" or quantizer:
        yield f"{name!r} in onnx must be written without its domain: {match['name']!r}"


def _check_clashes(operators: Sequence[type[Op]]) -> Iterator[Diagnostic]:
    """Yield names and claims that two operators have in common."""
    known = dict(Op.registry)
    claimed = {name: cls for cls in known.values() for name in cls.onnx}
    for cls in operators:
        where = f"{cls.__name__} in {operator_file(cls)}"
        if cls.__name__ in known:
            yield Diagnostic(
                code="HW253",
                title="there is an operator of this name already",
                where=where,
                found=f"{cls.__name__}, also in {operator_file(known[cls.__name__])}",
                help="rename the class",
            )
        for name in cls.onnx:
            if name in claimed:
                yield Diagnostic(
                    code="HW252",
                    title="two operators claim one ONNX operator",
                    where=where,
                    found=f"{name}, also claimed by {claimed[name].__name__} "
                    f"in {operator_file(claimed[name])}",
                    help="claim a name in a domain of your own",
                )
            claimed[name] = cls
        known[cls.__name__] = cls
