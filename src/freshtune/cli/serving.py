"""``serve`` and ``keys``."""

import shlex
from typing import Annotated

import typer

import freshtune
from freshtune.cli.terminal import NO_RELEASE, AsJson, Flags, Root, command, line, note, say, table, watched
from freshtune.errors import UsageError
from freshtune.serve.auth import SCOPES, Keys

keys = typer.Typer(help="Who may call the service.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(serve)
    app.add_typer(keys, name="keys")


@command
def serve(
    workspace: Root = ".",
    host: Annotated[str | None, typer.Option(help="Address; 127.0.0.1 unless set.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="0 takes a free one; the log names it.")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="No keys; refused beyond loopback.")] = False,
    set_: Flags = None,
) -> None:
    """Answer over HTTP; a release that is promoted usually answers within 200 ms."""
    from freshtune.cycle.extras import require_extra

    require_extra("serve", "Serving")
    from freshtune.serve.app import run, service_of

    shop = freshtune.open(workspace, set_ or ())
    settings = shop.settings
    service = service_of(shop.store, settings.tasks, settings.serve, not no_auth, settings.intake.limits)
    if service.keys is not None and not any(key.revoked is None for key in service.keys.list()):
        note("No key exists yet, so only /livez and /readyz are answered: freshtune keys create NAME --scope predict")
    host, port = host or settings.serve.host, settings.serve.port if port is None else port

    def on_listening(url: str) -> None:
        if watched():  # the log is for programs: one JSON object a line and nothing else
            live = [f"{task}: {shop.store.registry.live_id(task) or NO_RELEASE}" for task in settings.tasks]
            note(f"{url} · {url}/docs · {' · '.join(live)} · Ctrl-C stops it")

    try:
        run(service, host, port, on_listening)
    except KeyboardInterrupt:  # requests in flight were answered before it came this far
        if watched():
            note("Stopped.")


@keys.command()
@command
def create(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Annotated[list[str], typer.Option(help=f"{', '.join(SCOPES)}; may repeat.")],
    workspace: Root = ".",
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once."""
    unknown = [each for each in scope if each not in SCOPES]
    if unknown:
        raise UsageError(
            f"There is no scope {unknown[0]!r}.",
            f"The scopes are {', '.join(SCOPES)}.",
            f"freshtune keys create {shlex.quote(name)} --scope predict makes a key that may ask for predictions.",
        )
    with Keys(freshtune.open(workspace).store.keys_path) as store:
        key, shown = store.create(name, scope)
    say({"id": key.id, "key": shown, "scopes": sorted(key.scopes)}, as_json, lambda: line(shown))


@keys.command("list")
@command
def list_(workspace: Root = ".", as_json: AsJson = False) -> None:
    """Every key, revoked ones too; never the keys themselves."""
    with Keys(freshtune.open(workspace).store.keys_path) as store:
        found = store.list()
    document = [
        {
            "id": key.id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "created": key.created,
            "last_used": key.last_used,
            "revoked": key.revoked,
        }
        for key in found
    ]

    def text() -> None:
        rows = [
            [
                key.id,
                key.name,
                " ".join(sorted(key.scopes)),
                str(key.last_used or "never"),
                "revoked" if key.revoked else "",
            ]
            for key in found
        ]
        table(dict.fromkeys(("id", "name", "scopes", "last used", ""), "left"), rows)

    say(document, as_json, text)


@keys.command()
@command
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of a key.")], workspace: Root = ".", as_json: AsJson = False
) -> None:
    """Close a key for good."""
    with Keys(freshtune.open(workspace).store.keys_path) as store:
        store.revoke(key_id)
    say({"revoked": key_id}, as_json, lambda: line(f"{key_id} is revoked"))
