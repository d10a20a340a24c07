"""Who may answer an approval, in words."""

from collections.abc import Sequence

MAX_APPROVERS = 4


def approver_words(approvers: Sequence[str]) -> str:
    """`alice`, `alice, bob or role oncall`, `anyone who may execute`."""
    names = [f"role {name.removeprefix('role:')}" if name.startswith("role:") else name for name in dict.fromkeys(approvers)]
    if not names:
        return "anyone who may execute"
    if len(names) > MAX_APPROVERS:
        names = [*names[: MAX_APPROVERS - 1], f"{len(names) - MAX_APPROVERS + 1} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
