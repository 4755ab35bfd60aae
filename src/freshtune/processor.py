"""What multiplies here: figures of two kinds of processor are not compared."""

import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_TELLING = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm", "bf16")
"""Flags that decide how fast fp32, bf16 and int8 are multiplied."""


def processor(cpuinfo: Path = _CPUINFO) -> str:
    """Name, family and model of the processor, and which instructions for matrices it has.

    Args:
        cpuinfo: where Linux tells; elsewhere the architecture is all that is said.

    >>> processor() != ""
    True
    """
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    told: dict[str, str] = {}
    for line in cpuinfo.read_text("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    flags = set((told.get("flags") or told.get("Features") or "").split())
    name = told.get("model name") or platform.machine()
    kind = [f"{key} {told[key]}" for key in ("cpu family", "model") if key in told]
    return ", ".join([name, *kind, *(flag for flag in _TELLING if flag in flags)])
