"""Stand-ins for the vendors' programs: they leave texts of reports where the tools do."""

import json
import shlex
import sys
from pathlib import Path

from hwflow.project.design import Design
from tests.synthesis.designs import add_vivado, vitis_tree, vivado_tree

REPLAY = """#!{python}
import json, os, shutil, sys
print("INFO: [HLS 200-10] Running", *sys.argv[1:], flush=True)
options = open("build_opt.tcl" if os.path.exists("build_opt.tcl") else "build_prj.tcl").read()
json.dump({{"arguments": sys.argv[1:], "options": options}}, open({seen}, "w"))
shutil.copytree({tree}, ".", dirs_exist_ok=True)
"""


def install(folder: Path, net: Design, program: str, *, logic: bool = False) -> tuple[Path, Path]:
    """Return a stand-in for a program, and the file in which it notes what it was asked."""
    tree, seen = folder / "reports", folder / "seen.json"
    (vivado_tree if program == "vivado_hls" else vitis_tree)(tree, net)
    if logic:
        add_vivado(tree, net)
    text = REPLAY.format(python=sys.executable, seen=repr(str(seen)), tree=repr(str(tree)))
    return executable(folder / "bin" / program, text), seen


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def settings_script(folder: Path, programs: Path) -> Path:
    """Write what settings64.sh does: the installation comes on PATH."""
    script = folder / "settings64.sh"
    script.write_text(f"export PATH={shlex.quote(str(programs))}:$PATH\n")
    return script


def asked(seen: Path) -> dict[str, str]:
    content: dict[str, str] = json.loads(seen.read_text())
    return content
