"""Sums for the province: every fen is in exactly one group, and every ratio is what its definition says."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.rules.statistics import (
    OF_PARKS,
    AidFact,
    DeliveryFact,
    Facts,
    Filters,
    GroupBy,
    ParkFact,
    PayoutFact,
    ServiceFact,
    summarise,
)
from marketplace.rules.tiles import lay_out
from services.usecases.places import Position, position_of
from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.rules.regions import Level, regions

PARKS = tuple(
    ParkFact(UUID(int=number), code, size, verified)
    for number, (code, size, verified) in enumerate(
        (
            ("411224", ParkSize.SMALL, True),
            ("411323", ParkSize.LARGE, True),
            ("411326", ParkSize.SMALL, True),
            ("510104", ParkSize.MEDIUM, False),
        )
    )
)
SERVICES = (
    ServiceFact("alarms", Tier.BASIC, 0),
    ServiceFact("leads", Tier.ENHANCED, 800_000_00),
    ServiceFact("twin", Tier.LEADING, 5_000_000_00),
)
parks = st.sampled_from([park.id for park in PARKS])
services = st.sampled_from([service.slug for service in SERVICES])
months = st.sampled_from(["2026-01", "2026-02"])
programmes = st.sampled_from(["one", "two"])
fen = st.integers(0, 10**9)
aid = st.builds(
    lambda park, service, programme, month, amounts: AidFact(park, service, programme, month, 1, *sorted(amounts)[::-1]),
    parks, services, programmes, months, st.tuples(fen, fen, fen),
)  # fmt: skip
deliveries = st.builds(DeliveryFact, parks, services, months, st.integers(1, 5), fen, fen, fen)
payouts = st.builds(PayoutFact, parks, services, programmes, months, st.integers(1, 5), fen, st.floats(0, 90))
facts = st.builds(
    Facts, st.just(PARKS), st.just(SERVICES), st.lists(aid), st.lists(deliveries), st.lists(payouts, max_size=5)
)
filters = st.builds(
    Filters,
    st.sampled_from(["", "one"]),
    st.sampled_from(["", "41", "4113"]),
    st.sampled_from(["", "leading"]),
    st.sampled_from(["", "twin"]),
)


@settings(max_examples=150, deadline=None)
@given(facts, st.sampled_from(GroupBy), filters)
def test_groups_share_out_the_whole_and_none_is_counted_twice(found, group_by, wanted):
    total, groups = summarise(found, group_by, wanted)
    for name in ("lines", "applied_fen", "granted_fen", "redeemed_fen", "paid_lines", "paid_fen"):
        assert sum(getattr(group, name) for group in groups) == getattr(total, name)
    assert total.redeemed_fen <= total.granted_fen <= total.applied_fen
    if group_by in OF_PARKS:
        assert sum(group.parks for group in groups) == total.parks
        assert sum(group.parks_served for group in groups) == total.parks_served
    if group_by is not GroupBy.PROGRAMME and not wanted.programme:
        assert sum(group.rent_fen or 0 for group in groups) == total.rent_fen
        assert sum(group.deliveries or 0 for group in groups) == total.deliveries
    for group in (total, *groups):
        assert 0 <= (group.enablement_bp or 0) <= 10_000
        assert group.parks_served <= group.parks


def test_a_service_is_built_once_and_rented_as_often_as_one_likes() -> None:
    small, large, *_ = PARKS
    found = Facts(
        PARKS,
        SERVICES,
        deliveries=[
            DeliveryFact(small.id, "twin", "2026-01", 1, 10_000_00, 6_000_00, 4_000_00),
            DeliveryFact(small.id, "twin", "2026-02", 2, 20_000_00, 12_000_00, 8_000_00),
            DeliveryFact(small.id, "alarms", "2026-02", 9, 9_00, 0, 9_00),
            DeliveryFact(large.id, "leads", "2026-02", 1, 3_000_00, 900_00, 2_100_00),
        ],
        payouts=[PayoutFact(small.id, "twin", "one", "2026-02", 3, 18_000_00, 60.0)],
    )
    total, groups = summarise(found, GroupBy.REGION)
    assert total.build_cost_fen == 5_800_000_00
    assert total.rent_fen == 14_100_00, "what cannot be built has no rent to compare"
    assert total.rent_to_build_bp == 24
    assert (total.parks, total.parks_served, total.enablement_bp) == (3, 2, 6_666)
    assert total.payout_days == 20.0
    assert [(group.key, group.parks, group.parks_served) for group in groups] == [("411200", 1, 1), ("411300", 2, 1)]
    assert summarise(found, GroupBy.SERVICE, Filters(region="5101"))[0].parks == 0


def placed(codes: list[str]) -> dict[str, Position]:
    """Return where prefectures lie."""
    return {code: position for code in codes if (position := position_of(code)) is not None}


def test_the_map_gives_every_prefecture_a_tile_of_its_own_near_where_it_lies() -> None:
    for province in ("41", "44", "51", "65"):
        cities = [code for code, each in regions().items() if code.startswith(province) and each.level is Level.CITY]
        places = placed(cities)
        tiles = lay_out(places)
        assert len(set(tiles.values())) == len(places)
        assert tiles == lay_out(placed(cities[::-1]))
    henan = lay_out(placed(["410100", "410500", "411500", "411200", "411400"]))
    assert henan["410500"].row < henan["410100"].row < henan["411500"].row, "安阳, 郑州, 信阳: north to south"
    assert henan["411200"].column < henan["410100"].column < henan["411400"].column, "三门峡, 郑州, 商丘: west to east"
    assert lay_out({}) == {}
