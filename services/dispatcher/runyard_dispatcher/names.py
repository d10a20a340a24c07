"""What names may look like, as problems of the document that has them."""

import re
from collections.abc import Sequence
from typing import Final

from runyard_shared.contracts.values import NAME
from runyard_shared.errors import FieldProblem

from runyard_dispatcher.board import Board

_NAME: Final = re.compile(NAME)
_WORDS: Final = "must begin with a letter or digit and have at most 63 letters, digits, '_', '.' and '-'"


def name_problems(path: str, name: str) -> list[FieldProblem]:
    return [] if _NAME.fullmatch(name) else [FieldProblem(path, _WORDS)]


def names_problems(path: str, names: Sequence[str]) -> list[FieldProblem]:
    return [problem for number, name in enumerate(names) for problem in name_problems(f"{path}[{number}]", name)]


def pool_problems(board: Board, tenant_id: str, path: str, pool: str) -> list[FieldProblem]:
    if board.has_pool(tenant_id, pool):
        return []
    return [FieldProblem(path, f"there is no pool {pool}: create it first, or choose another one")]


def in_words(problems: Sequence[FieldProblem]) -> str:
    return "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
