"""Write requirements/*.txt from pyproject.toml: every package at one version, every file by its hash (``make lock``).

Resolved against the registry alone, so that no file of this machine decides a version. Two rules of our own:

* torch installs from its plain wheel or from the ``+cpu`` build of the same version, so both have their hashes listed.
  ``torch-cpu.txt`` asks for the CPU build alone: pip would never choose it out of a folder where a registry offers the
  plain one. What only the CUDA build needs goes to ``cuda.txt``, apart.
* packages that we take for their data or weights do not bring their own dependencies (``NOT_WANTED``).
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"
TORCH = "2.13.0"
CPU_BUILDS = ("6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",)
"""sha256 of the ``+cpu`` wheels of TORCH that we have met."""
NOT_WANTED = ("sentence-transformers",)
BUILD = ("setuptools", "wheel")
"""What builds this package and the sdists among the others; installed first, from ``build.txt``."""
CUDA = re.compile(r"(nvidia|cuda|triton$)")


def requirements(extra: str | None) -> list[str]:
    """The requirements of an extra, those of the extras that it names included, as pyproject.toml spells them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: list[str] = list(project["dependencies"])
    queue = [extra] if extra else []
    while queue:
        for line in project["optional-dependencies"][queue.pop()]:
            own = re.fullmatch(r"freshtune\[(.+)\]", line)
            if own:
                queue.extend(own.group(1).split(","))
            else:
                found.append(line)
    return sorted(set(found))


def compiled(lines: Iterable[str], pins: Iterable[str], *flags: str) -> Mapping[str, str]:
    """Resolve inside the pins; gives name → its block of the lock (``name==version \\`` and the hashes)."""
    with tempfile.TemporaryDirectory() as folder:
        source, pinned, target = Path(folder, "in.txt"), Path(folder, "pins.txt"), Path(folder, "out.txt")
        pinned.write_text("\n".join(pins) + "\n")
        source.write_text("\n".join([f"-c {pinned}", *lines]) + "\n")
        command = [
            sys.executable,
            "-m",
            "piptools",
            "compile",
            str(source),
            "-o",
            str(target),
            "--quiet",
            "--allow-unsafe",
        ]
        command += [
            "--strip-extras",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--no-annotate",
            "--no-header",
            *flags,
        ]
        environment = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
        subprocess.run(command, check=True, env=environment | {"PIP_CONFIG_FILE": os.devnull})
        text = "\n".join(line for line in target.read_text().split("\n") if not line.lstrip().startswith("#"))
    blocks = re.split(r"\n(?=\S)", text.strip())
    return {block.split("==")[0]: block.rstrip(" \\\n") for block in blocks}


def with_hashes(block: str, digests: Iterable[str]) -> str:
    """Add hashes to those of a block."""
    head, *hashes = (line.strip(" \\") for line in block.split("\n"))
    return " \\\n    ".join([head, *sorted({*hashes, *(f"--hash=sha256:{digest}" for digest in digests)})])


def write(name: str, blocks: Iterable[str], note: str) -> None:
    """Write one lock."""
    lines = sorted(blocks)
    (LOCKS / name).write_text(
        f"# {note} Made by `make lock`; install with --require-hashes --no-deps.\n" + "\n".join(lines) + "\n"
    )
    print(f"requirements/{name}: {len(lines)} packages", file=sys.stderr)


def main() -> None:
    """Resolve everything once with hashes; the smaller locks are cuts of it."""
    blocks = dict(compiled([*requirements("dev"), *BUILD], [f"torch=={TORCH}"], "--generate-hashes"))
    cuda = {name: blocks.pop(name) for name in list(blocks) if CUDA.match(name)}
    blocks = {name: block for name, block in blocks.items() if name not in NOT_WANTED}
    blocks["torch"] = with_hashes(blocks["torch"], CPU_BUILDS)
    write(
        "torch-cpu.txt", [with_hashes(f"torch=={TORCH}+cpu", CPU_BUILDS)], "torch's CPU build, where pip can find one."
    )
    write("cuda.txt", cuda.values(), "What torch's CUDA build needs beside dev.txt.")
    write("dev.txt", blocks.values(), "Everything: the demo, the tests, the checks.")
    write("build.txt", (blocks[name] for name in BUILD), "What builds packages, to be installed before the others.")
    pins = [block.split(" ")[0] for block in blocks.values()]
    serve = compiled([*requirements("serve"), *BUILD], pins)
    write("serve.txt", (blocks[name] for name in serve), "What serving needs: no torch.")


if __name__ == "__main__":
    main()
