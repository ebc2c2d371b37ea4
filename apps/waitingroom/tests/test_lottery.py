"""The shuffle: bound beforehand, open to everybody's arithmetic, and fair."""

import hashlib
import hmac
import random
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waitingroom.lottery import commitment_to, draw_of, new_seed, number_of_early

SEED = bytes(range(32))


def accounts(count, seed=7):
    chance = random.Random(seed)
    return [UUID(int=chance.getrandbits(128), version=4) for _ in range(count)]


def test_the_commitment_is_the_hash_of_the_seed_and_says_nothing_else():
    assert commitment_to(SEED) == hashlib.sha256(SEED).hexdigest()
    assert new_seed() != new_seed()
    assert len(new_seed()) == 32


def test_anybody_can_work_out_a_number_from_the_published_seed():
    """As ARCHITECTURE and the pages do it: HMAC-SHA256, eight bytes, a share of the line."""
    account_id, early_places = accounts(1)[0], 48_211
    digest = hmac.new(SEED, account_id.bytes, hashlib.sha256).digest()
    share = int.from_bytes(digest[:8], "big")
    assert number_of_early(SEED, account_id, early_places) == 1 + share * early_places // 2**64


@given(st.binary(min_size=32, max_size=32), st.uuids(), st.integers(1, 10**9))
def test_every_number_lies_within_the_early_ones(seed, account_id, early_places):
    assert 1 <= number_of_early(seed, account_id, early_places) <= early_places


def test_with_nobody_counted_an_early_one_stands_before_all_others():
    assert number_of_early(SEED, accounts(1)[0], 0) == 0


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 1000))
def test_numbers_keep_the_order_of_the_draws(seed, early_places):
    drawn = sorted(accounts(50), key=lambda account_id: draw_of(seed, account_id))
    numbers = [number_of_early(seed, account_id, early_places) for account_id in drawn]
    assert all(earlier <= later for earlier, later in pairwise(numbers))


def test_draws_differ():
    assert len({draw_of(SEED, account_id) for account_id in accounts(100_000)}) == 100_000


def test_every_part_of_the_line_gets_its_share():
    """Chi-square over 100 parts of 100,000 people: beyond 148.2 once in a thousand shuffles."""
    counts = [0] * 100
    for account_id in accounts(100_000):
        counts[(number_of_early(SEED, account_id, 100_000) - 1) // 1000] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 148.2


def test_coming_first_before_the_opening_gives_no_advantage():
    """Rank correlation of coming and number over 20,000 people: chance keeps it under 0.025."""
    people = accounts(20_000)
    ranks = {
        account_id: rank
        for rank, account_id in enumerate(sorted(people, key=lambda a: draw_of(SEED, a)))
    }
    n = len(people)
    squares = sum((ranks[account_id] - coming) ** 2 for coming, account_id in enumerate(people))
    assert abs(1 - 6 * squares / (n * (n * n - 1))) < 0.025


def test_another_seed_is_another_shuffle():
    other = SEED[::-1]
    people = accounts(1000)
    first = sorted(people, key=lambda account_id: draw_of(SEED, account_id))[:100]
    second = sorted(people, key=lambda account_id: draw_of(other, account_id))[:100]
    assert len(set(first) & set(second)) < 30


@pytest.mark.parametrize("early_places", [100, 10_000])
def test_a_number_is_about_the_rank_among_the_draws(early_places):
    """Never off by more than twice the square root, four standard deviations."""
    drawn = sorted(accounts(early_places), key=lambda account_id: draw_of(SEED, account_id))
    off = max(
        abs(number_of_early(SEED, account_id, early_places) - rank)
        for rank, account_id in enumerate(drawn, start=1)
    )
    assert off < 2 * early_places**0.5 + 1
