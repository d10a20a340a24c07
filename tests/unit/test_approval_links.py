"""Signed links: what they say, and that nothing but an unchanged link of this system, in time, opens anything."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runyard_approvals.links import Link, Links, check_holds
from runyard_approvals.secret import Secret
from runyard_shared.errors import Refusal
from runyard_shared.ids import new_id

from tests.approvals import APPROVAL, EPOCH, Approval

LINKS = Links(Secret([b"s" * 32]), "https://runyard.example/")
LINK = Link(APPROVAL, "link:mail", EPOCH + timedelta(hours=1), "nonce")
TOKEN = LINKS.sign(LINK)


def code_of(approval_id: str, token: str, links: Links = LINKS) -> tuple[int, str]:
    with pytest.raises(Refusal) as refused:
        links.read(approval_id, token)
    return refused.value.status, refused.value.code


def test_a_link_leads_to_its_approval_and_says_who_it_was_made_for() -> None:
    made = LINKS.url_for(Approval().state, "mail", EPOCH)
    assert made is not None
    url, _ = made
    start = f"https://runyard.example/approvals/{APPROVAL}/link/"
    assert url.startswith(start)
    link = LINKS.read(APPROVAL, url.removeprefix(start))
    assert (link.approval_id, link.approver) == (APPROVAL, "link:mail")


def test_every_message_has_a_link_of_its_own() -> None:
    state = Approval().state
    assert LINKS.url_for(state, "mail", EPOCH) != LINKS.url_for(state, "mail", EPOCH)


@pytest.mark.parametrize(("timeout", "holds"), [(0, 7 * 86400), (3600, 3600), (30 * 86400, 7 * 86400)])
def test_a_link_holds_until_the_approval_expires_but_no_longer_than_a_week(timeout: float, holds: float) -> None:
    made = LINKS.url_for(Approval(timeout_seconds=timeout).state, "mail", EPOCH)
    assert made is not None
    assert made[1] == EPOCH + timedelta(seconds=holds)


@pytest.mark.parametrize("asked", [{"min_approvals": 2}, {"prevent_self_approval": True}])
def test_there_is_no_link_where_it_matters_who_answers(asked: dict[str, Any]) -> None:
    assert LINKS.url_for(Approval(**asked).state, "mail", EPOCH) is None


@given(at=st.integers(0, len(TOKEN) - 1), to=st.characters(codec="ascii"))
def test_a_link_that_was_changed_anywhere_opens_nothing(at: int, to: str) -> None:
    changed = TOKEN[:at] + to + TOKEN[at + 1 :]
    try:
        link = LINKS.read(APPROVAL, changed)
    except Refusal as refusal:
        assert (refusal.status, refusal.code) == (403, "link_invalid")
    else:
        # the last character of a base64 text has bits that say nothing
        assert link == LINK


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "ä", TOKEN[:-4], TOKEN.partition(".")[0], base64.urlsafe_b64encode(b"[]").decode() + ".x", "\0"]
)
def test_what_is_no_link_opens_nothing(token: str) -> None:
    assert code_of(APPROVAL, token) == (403, "link_invalid")


def test_a_link_opens_no_other_approval() -> None:
    assert code_of(new_id(), TOKEN) == (403, "link_invalid")


def test_a_link_of_another_system_opens_nothing() -> None:
    assert code_of(APPROVAL, TOKEN, Links(Secret([b"t" * 32]), "")) == (403, "link_invalid")


def test_links_stay_good_when_a_secret_is_set_in_place_of_the_one_that_was_made() -> None:
    assert Links(Secret([b"new" * 16, b"s" * 32]), "").read(APPROVAL, TOKEN) == LINK


def test_a_link_is_too_late_from_its_last_moment_on() -> None:
    check_holds(LINK, EPOCH + timedelta(minutes=59))
    with pytest.raises(Refusal, match="sign in") as refused:
        check_holds(LINK, LINK.expires_at)
    assert (refused.value.status, refused.value.code) == (410, "link_expired")
