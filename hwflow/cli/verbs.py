"""A verb with verbs of its own: the first word is one of them, or else its argument."""

from __future__ import annotations

from copy import copy
from typing import Any

from typer.core import TyperGroup


class ArgumentOrVerb(TyperGroup):
    """A command that takes an argument, unless its first word is the name of one of its verbs.

    An argument of such a name is given as a path: ``./status``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options of the command, or leave all to the verb that is named."""
        ctx.obj = args[0] if args and args[0] in self.commands else None
        if ctx.obj is not None:
            found: list[str] = TyperGroup.parse_args(self._bare(), ctx, args)
            return found
        ctx.allow_interspersed_args, ctx.allow_extra_args = True, False
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, or its verb alone."""
        return TyperGroup.invoke(self._bare(), ctx) if ctx.obj else super().invoke(ctx)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the command, which its verbs do not have."""
        return [] if ctx.obj else super().get_params(ctx)

    def _bare(self) -> TyperGroup:
        """Return the same without what it does itself."""
        bare = copy(self)
        bare.params, bare.callback = [], None
        return bare

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write both ways of calling it."""
        pieces = super().collect_usage_pieces(ctx)
        formatter.write_usage(ctx.command_path, " ".join(pieces[:-1]))
        formatter.write_usage(ctx.command_path, pieces[-1], prefix="       ")
