"""Customer-service intents in the order in which they arrive: some from the start, the others group by group."""

import csv
import gzip
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freshtune.records import Example, Json

DATA = Path(os.environ.get("FRESHTUNE_DATA", "../shared/data"))
FIRST_OF_BANKING, GROUPS_OF_BANKING = 40, 3
FIRST_DOMAINS = 3
DOMAINS: Mapping[str, str] = {
    "banking": "freeze_account routing pin_change bill_due pay_bill account_blocked interest_rate min_payment "
    "bill_balance transfer order_checks balance spending_history transactions report_fraud",
    "credit_cards": "replacement_card_duration expiration_date damaged_card improve_credit_score report_lost_card "
    "card_declined credit_limit_change apr redeem_rewards credit_limit rewards_balance application_status "
    "credit_score new_card international_fees",
    "kitchen_and_dining": "food_last confirm_reservation how_busy ingredients_list calories nutrition_info recipe "
    "restaurant_reviews restaurant_reservation meal_suggestion restaurant_suggestion cancel_reservation "
    "ingredient_substitution cook_time accept_reservations",
    "home": "what_song play_music todo_list_update reminder reminder_update calendar_update order_status "
    "update_playlist shopping_list calendar next_song order todo_list shopping_list_update smart_home",
    "auto_and_commute": "current_location oil_change_when oil_change_how uber traffic tire_pressure "
    "schedule_maintenance gas mpg distance directions last_maintenance gas_type tire_change jump_start",
    "travel": "plug_type travel_notification translate flight_status international_visa timezone exchange_rate "
    "travel_suggestion travel_alert vaccines lost_luggage book_flight book_hotel carry_on car_rental",
    "utility": "weather alarm date find_phone share_location timer make_call calculator definition "
    "measurement_conversion flip_coin spelling time roll_dice text",
    "work": "pto_request_status next_holiday insurance_change insurance meeting_schedule payday taxes income "
    "rollover_401k pto_balance pto_request w2 schedule_meeting direct_deposit pto_used",
    "small_talk": "who_made_you meaning_of_life who_do_you_work_for do_you_have_pets what_are_your_hobbies fun_fact "
    "what_is_your_name where_are_you_from goodbye thank_you greeting tell_joke are_you_a_bot how_old_are_you "
    "what_can_i_ask_you",
    "meta": "change_speed user_name whisper_mode yes change_volume no change_language repeat change_accent cancel "
    "sync_device change_user_name change_ai_name reset_settings maybe",
}
"""The ten domains of clinc150, as its authors group its intents; the texts that are out of scope are left out."""


@dataclass(frozen=True)
class Texts:
    """One side of a data set: ``(text, class)`` pairs."""

    rows: tuple[tuple[str, str], ...]

    def of(self, classes: Sequence[str], most: int = 0) -> Iterator[tuple[int, str, str]]:
        """Number, text and class of those of some classes; of each the first ``most``, all where it is 0."""
        seen = dict.fromkeys(classes, 0)
        for place, (text, name) in enumerate(self.rows):
            if name in seen:
                seen[name] += 1
                if not most or seen[name] <= most:
                    yield place, text, name

    def records(self, classes: Sequence[str], most: int = 0) -> list[dict[str, Json]]:
        """As events come in."""
        return [{"id": f"t{place}", "text": text, "label": name} for place, text, name in self.of(classes, most)]

    def examples(self, classes: Sequence[str], most: int = 0) -> list[Example]:
        """To judge by."""
        return [Example(f"j{place}", "intent", text, label=name) for place, text, name in self.of(classes, most)]


@dataclass(frozen=True)
class Arrivals:
    """A data set's two sides, and its classes in groups, the first of which is there from the start."""

    learned: Texts
    judging: Texts
    groups: tuple[tuple[str, ...], ...]


def banking77(seed: int) -> Arrivals:
    """77 intents of one bank in an order drawn by the seed: 40, then three groups of 12 or 13."""
    learned, judging = (_read("banking77", f"{side}.csv.gz") for side in ("train", "test"))
    names = np.random.default_rng(seed).permutation(sorted({row["category"] for row in learned})).tolist()
    later = np.array_split(np.asarray(names[FIRST_OF_BANKING:]), GROUPS_OF_BANKING)
    groups = (tuple(names[:FIRST_OF_BANKING]), *(tuple(part.tolist()) for part in later))
    sides = [Texts(tuple((row["text"], row["category"]) for row in rows)) for rows in (learned, judging)]
    return Arrivals(sides[0], sides[1], groups)


def clinc150(seed: int) -> Arrivals:
    """150 intents in ten domains in an order drawn by the seed: three domains, then one after another."""
    rows = _read("clinc150", "intents.csv.gz")
    order = np.random.default_rng(seed).permutation(sorted(DOMAINS)).tolist()
    domains = [tuple(DOMAINS[name].split()) for name in order]
    sides = [
        Texts(tuple((row["text"], row["intent"]) for row in rows if row["split"] == side)) for side in ("train", "test")
    ]
    first = tuple(name for domain in domains[:FIRST_DOMAINS] for name in domain)
    return Arrivals(sides[0], sides[1], (first, *domains[FIRST_DOMAINS:]))


def _read(name: str, file: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name / file, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
