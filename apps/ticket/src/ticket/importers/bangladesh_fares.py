"""
The fares of Bangladesh Railway: offers seen on sale, as prices in poisha with their VAT.

An offer is taken or refused, never changed. Two fares of one pair by different trains are both
right: fares are per train.
"""

from collections import defaultdict
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from ticket.importers.bangladesh_source import SourceOffer
from ticket.importers.normalised import Fare
from ticket.importers.report import Report
from ticket.importers.seat_classes_of_bangladesh import ENGLISH
from ticket.importers.station_names import english_key, plain_english

Places = Mapping[str, Mapping[str, int]]
"""For each train number, the sequence of the stop at each station code."""


class RefusedOfferError(Exception):
    """An offer cannot be a fare; the message is the reason."""


def fares_of(
    offers: list[SourceOffer], codes: Mapping[str, str], places: Places, report: Report
) -> list[Fare]:
    """Turn offers into fares; `codes` gives the station code of a name's English key."""
    fares: dict[tuple[str, str, str, str], Fare] = {}
    report.reads("fare", len(offers))
    for offer in offers:
        try:
            fare = _fare(offer, codes, places)
        except RefusedOfferError as error:
            report.refuses("fare", _item(offer), rule=str(error), detail=_amounts(offer))
            continue
        key = (fare.train_number, fare.seat_class, fare.from_code, fare.to_code)
        if key in fares:
            rule = "the pair has a fare already"
            report.refuses("fare", _item(offer), rule=rule, detail=_amounts(offer))
            continue
        fares[key] = fare
        report.takes("fare")
        _remark_on_vat(offer, report)
    _remark_on_order(list(fares.values()), places, report)
    return list(fares.values())


def _item(offer: SourceOffer) -> str:
    ends = f"{plain_english(offer.from_city)} - {plain_english(offer.to_city)}"
    return f"{offer.train_number} {offer.seat_class} {ends} (line {offer.line})"


def _amounts(offer: SourceOffer) -> str:
    return f"fare {offer.fare}, VAT {offer.vat} ({offer.vat_percent} %)"


def _fare(offer: SourceOffer, codes: Mapping[str, str], places: Places) -> Fare:
    if offer.train_number not in places:
        raise RefusedOfferError("there is no such train in the timetable")
    if offer.seat_class not in ENGLISH:
        raise RefusedOfferError("there is no such seat class")
    from_code, to_code = _leg(offer, codes, places[offer.train_number])
    price, vat = _minor(offer.fare), _minor(offer.vat)
    if price <= 0:
        raise RefusedOfferError("a fare of nothing is no fare")
    return Fare(offer.train_number, offer.seat_class, from_code, to_code, price + vat, vat)


def _leg(offer: SourceOffer, codes: Mapping[str, str], stops: Mapping[str, int]) -> tuple[str, str]:
    ends = [
        codes.get(english_key(plain_english(city))) for city in (offer.from_city, offer.to_city)
    ]
    from_code, to_code = ends
    if from_code is None or to_code is None or not {from_code, to_code} <= stops.keys():
        raise RefusedOfferError("the train does not stop at one of the two stations")
    if stops[from_code] >= stops[to_code]:
        raise RefusedOfferError("it goes against the direction of the train")
    return from_code, to_code


def _minor(taka: str) -> int:
    """Read taka as poisha, exactly."""
    try:
        amount = Decimal(taka) * 100
    except InvalidOperation:
        raise RefusedOfferError("an amount cannot be read") from None
    if not amount.is_finite() or amount != int(amount) or amount < 0:
        raise RefusedOfferError("an amount is no sum of money")
    return int(amount)


def _remark_on_vat(offer: SourceOffer, report: Report) -> None:
    """Mark what the operator's own rule, VAT rounded up to the taka, does not explain."""
    try:
        expected = Decimal(offer.fare) * Decimal(offer.vat_percent) / 100
    except InvalidOperation:
        expected = Decimal(-1)
    if expected.to_integral_value(ROUND_CEILING) != Decimal(offer.vat):
        report.notes(
            "fare",
            _item(offer),
            rule="VAT is not the stated per cent rounded up to a taka: taken as stated",
            detail=_amounts(offer),
        )


def _remark_on_order(fares: list[Fare], places: Places, report: Report) -> None:
    """Mark where riding further costs less; it happens, and is only worth knowing."""
    rays: dict[tuple[str, str], dict[str, list[Fare]]] = defaultdict(lambda: defaultdict(list))
    for fare in fares:
        rays[fare.train_number, fare.seat_class][fare.from_code].append(fare)
    for (number, seat_class), by_origin in rays.items():
        cheaper = [
            f"{further.from_code}-{further.to_code} below {nearer.from_code}-{nearer.to_code}"
            for ray in by_origin.values()
            for nearer, further in _cheaper_further(ray, places[number])
        ]
        if cheaper:
            report.notes(
                "fare",
                f"{number} {seat_class}",
                rule="riding further costs less: taken as stated",
                detail=f"{len(cheaper)} times, the first {cheaper[0]}",
            )


def _cheaper_further(ray: list[Fare], stops: Mapping[str, int]) -> list[tuple[Fare, Fare]]:
    ordered = sorted(ray, key=lambda fare: stops[fare.to_code])
    dearest = ordered[0]
    found: list[tuple[Fare, Fare]] = []
    for fare in ordered[1:]:
        if fare.price_minor < dearest.price_minor:
            found.append((dearest, fare))
        else:
            dearest = fare
    return found
