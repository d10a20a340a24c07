"""Who may do what: the permissions, and the roles that come with the product.

| role     | view | execute | manage | admin |
|----------|------|---------|--------|-------|
| viewer   | yes  |         |        |       |
| operator | yes  | yes     |        |       |
| manager  | yes  | yes     | yes    |       |
| admin    | yes  | yes     | yes    | yes   |

The fifth permission, `installation`, is in no role: only whoever holds the admin token has it. It is for what concerns all
tenants at once: the tenants themselves, rebuilding read models.

A tenant may make further roles (`PUT /roles/{name}`), each a set of the first four. A role of any other name (`oncall`) gives
no permission; it is a label by which a workflow names its approvers (`role:oncall`).
Every operation of the API declares the permission it needs (`http/operation.py`).
"""

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """`view` reads; `execute` starts, cancels, re-runs; `manage` changes workflows and channels; `admin` users and keys;
    `installation` what belongs to no tenant."""

    VIEW = "automation:view"
    EXECUTE = "automation:execute"
    MANAGE = "automation:manage"
    ADMIN = "automation:admin"
    INSTALLATION = "automation:installation"


ROLES: dict[str, frozenset[Permission]] = {
    "viewer": frozenset({Permission.VIEW}),
    "operator": frozenset({Permission.VIEW, Permission.EXECUTE}),
    "manager": frozenset({Permission.VIEW, Permission.EXECUTE, Permission.MANAGE}),
    "admin": frozenset({Permission.VIEW, Permission.EXECUTE, Permission.MANAGE, Permission.ADMIN}),
}
"""The built-in roles."""

EVERYTHING = frozenset(Permission)
"""What the admin token gives."""

TENANT_PERMISSIONS = frozenset(Permission) - {Permission.INSTALLATION}
"""What a role or the scope of a key may have."""


def permissions_of(roles: Iterable[str]) -> frozenset[Permission]:
    """What the built-in ones among the roles give."""
    return frozenset(permission for role in roles for permission in ROLES.get(role, ()))


def known_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """As they are stored; what this version does not know, or may not be stored, gives nothing."""
    return frozenset(each for each in TENANT_PERMISSIONS if each in set(names))
