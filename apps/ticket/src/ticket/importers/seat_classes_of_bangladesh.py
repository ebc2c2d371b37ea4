"""
The seat classes of Bangladesh Railway: English names, Bengali names, and whose refund rule holds.

The source has short forms only. The flat fee for giving a ticket back is published for
air-conditioned, first and other classes, hence the three categories.
"""

from ticket.importers.normalised import SeatClass

ENGLISH = {
    "AC_B": ("AC Berth", "ac"),
    "AC_CHAIR": ("AC Chair", "ac"),
    "AC_S": ("AC Seat", "ac"),
    "F_BERTH": ("First Class Berth", "first"),
    "F_CHAIR": ("First Class Chair", "first"),
    "F_SEAT": ("First Class Seat", "first"),
    "S_CHAIR": ("Shovan Chair", "other"),
    "SHOVAN": ("Shovan", "other"),
    "SHULOV": ("Shulov", "other"),
    "SNIGDHA": ("Snigdha", "ac"),
}


def seat_classes(class_names_bn: dict[str, str]) -> tuple[SeatClass, ...]:
    return tuple(
        SeatClass(code, name, class_names_bn.get(code, "").replace("শো.", "শোভন "), category)
        for code, (name, category) in ENGLISH.items()
    )
