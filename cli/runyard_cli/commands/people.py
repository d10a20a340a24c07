"""Who may do what: users, the keys that open the API for them, and roles."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from runyard_cli import completing, finding, values
from runyard_cli.asking import YesOption, sure
from runyard_cli.client import Json, in_path
from runyard_cli.confidential import KeyFile, KeyFileOption
from runyard_cli.errors import Misused
from runyard_cli.output import Format, FormatOption, moment, plain, short, show, table, when
from runyard_cli.session import connected

users = typer.Typer(help="Users: made, listed, changed, kept out.", invoke_without_command=True)
keys = typer.Typer(help="API keys: made, listed, revoked.", invoke_without_command=True)
roles = typer.Typer(help="Roles: listed, made, deleted.", invoke_without_command=True)


class Permission(StrEnum):
    VIEW = "automation:view"
    EXECUTE = "automation:execute"
    MANAGE = "automation:manage"
    ADMIN = "automation:admin"


UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The name.", autocompletion=completing.users)]
KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", help="Its name, its id, or the end of that.", autocompletion=completing.api_keys)
]
RoleOption = Annotated[
    list[str] | None,
    typer.Option("--role", "-r", help="viewer, operator, manager, admin, or one of your own; may be repeated.",
                 autocompletion=completing.roles),
]  # fmt: skip
EmailOption = Annotated[str | None, typer.Option(help="An address.")]
DisplayNameOption = Annotated[str | None, typer.Option(help="As people know the user.")]
SubjectOption = Annotated[str | None, typer.Option(help="The claim `sub` of whoever signs in as this user.")]
MineOption = Annotated[bool, typer.Option("--mine", help="Your own, which needs no permission.")]


@users.callback()
def list_users(context: typer.Context, output: FormatOption = Format.TABLE) -> None:
    """Users, by name."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        answer = api.whole("/users")
    show(answer, output, _users)


@users.command("create")
def create_user(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Without space, colon and slash.")],
    role: RoleOption = None,
    email: EmailOption = None,
    display_name: DisplayNameOption = None,
    oidc_subject: SubjectOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """A new user, who can do nothing before there is an API key, or a sign-in at an identity provider."""
    about = {"email": email, "displayName": display_name, "oidcSubject": oidc_subject}
    with connected(context) as api:
        body = {"name": name, "roles": role or []} | {key: value for key, value in about.items() if value is not None}
        answer = api.command("POST", "/users", body)
    show(answer, output, lambda row: _one_and(row, f"A key for it: runyard keys create {row['name']}"))


@users.command("change")
def change_user(
    context: typer.Context,
    user: UserArgument,
    role: RoleOption = None,
    no_roles: Annotated[bool, typer.Option("--no-roles", help="Take all its roles away.")] = False,
    email: EmailOption = None,
    display_name: DisplayNameOption = None,
    oidc_subject: SubjectOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Change what is given, and nothing else: --role gives these roles instead of those there are, an empty text takes away."""
    about = {"email": email, "displayName": display_name, "oidcSubject": oidc_subject}
    body: Json = {key: value or None for key, value in about.items() if value is not None}
    if role or no_roles:
        body["roles"] = role or []
    if not body or (role and no_roles):
        raise Misused("Say what to change: --role or --no-roles, --email, --display-name, --oidc-subject.")
    with connected(context) as api:
        show(api.command("PATCH", f"/users/{in_path(user)}", body), output, _one)


@users.command("disable")
def disable_user(context: typer.Context, user: UserArgument, output: FormatOption = Format.TABLE) -> None:
    """Keep somebody out: no key, token or session is taken any more. What already runs goes on."""
    with connected(context) as api:
        show(api.command("PATCH", f"/users/{in_path(user)}", {"disabled": True}), output, _one)


@users.command("enable")
def enable_user(context: typer.Context, user: UserArgument, output: FormatOption = Format.TABLE) -> None:
    """Let somebody in again."""
    with connected(context) as api:
        show(api.command("PATCH", f"/users/{in_path(user)}", {"disabled": False}), output, _one)


@users.command("delete")
def delete_user(
    context: typer.Context, user: UserArgument, yes: YesOption = False, output: FormatOption = Format.TABLE
) -> None:
    """Delete somebody with all their keys; history keeps the name."""
    with connected(context) as api:
        name = finding.user(api, user)["name"]
        sure(f"{name} will be deleted, with all keys.", yes)
        api.command("DELETE", f"/users/{in_path(name)}")
    show({"deleted": name}, output, lambda answer: Text(f"User {answer['deleted']} was deleted."))


@keys.callback()
def list_keys(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(help="Only this user's.", autocompletion=completing.users)] = None,
    mine: MineOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """API keys, newest first; never the keys themselves."""
    if context.invoked_subcommand:
        return
    if user and mine:
        raise Misused("Either --user or --mine.")
    with connected(context) as api:
        answer = api.whole(_path(mine), user=user)
    show(answer, output, _keys)


@keys.command("create")
def create_key(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose it is.", autocompletion=completing.users)],
    name: Annotated[str, typer.Option(help="To tell keys apart.")] = "",
    scope: Annotated[
        list[Permission] | None, typer.Option("--scope", help="It can do no more than this; may be repeated.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="After that it opens nothing: 90d, 2027-12-31; else never.")
    ] = None,
    key_file: KeyFileOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """A new key, shown this once: whoever has it is the user."""
    body: Json = {"user": user, "name": name, "expiresAt": values.deadline(expires)}
    if scope:
        body["scopes"] = scope
    with KeyFile(key_file) as file, connected(context) as api:
        answer = file.keep(api.command("POST", "/api-keys", body))
    show(answer, output, _made)


@keys.command("revoke")
def revoke_key(
    context: typer.Context,
    key: KeyArgument,
    mine: MineOption = False,
    yes: YesOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Within about a second no gateway takes it any more, and what was signed in with it ends."""
    with connected(context) as api:
        identity = finding.api_key_id(api, _path(mine), key)
        sure(f"Key {short(identity)} will open nothing any more, for good.", yes)
        show(api.command("DELETE", f"{_path(mine)}/{identity}"), output, lambda row: _keys({"items": [row]}))


@roles.callback()
def list_roles(context: typer.Context, output: FormatOption = Format.TABLE) -> None:
    """Roles, and every name that somebody has as one."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        show(api.get("/roles"), output, _roles)


@roles.command("set")
def set_role(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Of a role of your own.", autocompletion=completing.roles)],
    permission: Annotated[list[Permission], typer.Option("--permission", "-p", help="May be repeated.")],
    output: FormatOption = Format.TABLE,
) -> None:
    """Make a role, or replace what it permits; within a second that is what its users may."""
    with connected(context) as api:
        body = {"permissions": permission}
        show(api.command("PUT", f"/roles/{in_path(name)}", body), output, lambda row: _roles({"items": [row]}))


@roles.command("delete")
def delete_role(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ROLE", help="Its name.", autocompletion=completing.roles)],
    output: FormatOption = Format.TABLE,
) -> None:
    """It permits nothing any more; whoever has it keeps its name as a label for approvals."""
    with connected(context) as api:
        api.command("DELETE", f"/roles/{in_path(name)}")
    show({"deleted": name}, output, lambda answer: Text(f"Role {answer['deleted']} was deleted."))


def _path(mine: bool) -> str:
    return "/me/api-keys" if mine else "/api-keys"


def _made(answer: Json) -> RenderableType:
    until = f"until {when(answer['expiresAt'])}" if answer["expiresAt"] else "until it is revoked"
    lines = [f"A key of {answer['user']} was made, good {until}."]
    if "key" in answer:
        lines += ["It is not shown again:", "", f"  {answer['key']}"]
    else:
        lines += [f"It is in {answer['keyFile']}, for you alone to read."]
    return Text(plain("\n".join(lines)))


def _one(row: Json) -> RenderableType:
    return _users({"items": [row]})


def _one_and(row: Json, next_step: str) -> RenderableType:
    return Group(_one(row), Text(plain(next_step), style="bright_black"))


def _users(answer: Json) -> RenderableType:
    return table(
        answer["items"],
        ("NAME", lambda row: row["name"]),
        ("ROLES", lambda row: row["roles"]),
        ("MAY", lambda row: [each.removeprefix("automation:") for each in row["permissions"]]),
        ("STATE", lambda row: "disabled" if row["disabled"] else ""),
        ("KNOWN AS", lambda row: row["displayName"]),
        ("E-MAIL", lambda row: row["email"]),
        ("SUBJECT", lambda row: row["oidcSubject"]),
        nothing="There is nobody but admin: runyard users create NAME --role ROLE",
    )


def _keys(answer: Json) -> RenderableType:
    return table(
        answer["items"],
        ("ID", lambda row: short(row["keyId"])),
        ("USER", lambda row: row["user"]),
        ("NAME", lambda row: row["name"]),
        ("ONLY", lambda row: [each.removeprefix("automation:") for each in row["scopes"] or []]),
        ("MADE", lambda row: moment(row["createdAt"])),
        ("USED", lambda row: moment(row["lastUsedAt"]) or "never"),
        ("ENDS", lambda row: f"revoked {moment(row['revokedAt'])}" if row["revokedAt"] else moment(row["expiresAt"])),
        nothing="There is no key: runyard keys create USER",
    )


def _roles(answer: Json) -> RenderableType:
    return table(
        answer["items"],
        ("NAME", lambda row: row["name"]),
        ("IS", lambda row: "built in" if row["builtIn"] else "a label" if row["isLabel"] else "your own"),
        ("MAY", lambda row: [each.removeprefix("automation:") for each in row["permissions"]]),
        ("USERS", lambda row: row["users"]),
    )
