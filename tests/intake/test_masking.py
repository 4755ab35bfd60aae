"""What is masked, what is not, and that equal values stay equal."""

import csv
import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from freshtune.intake.masking import Masker
from freshtune.intake.personal_data import PATTERNS
from freshtune.records import Json

MASKER = Masker(b"a salt of the tests, 32 bytes ...")
DATA = Path(os.environ.get("FRESHTUNE_DATA", "../shared/data"))

PERSONAL = {
    "phone": [
        "13800138000",
        "+8613800138000",
        "+86 138 0013 8000",
        "（+86）138-0013-8000",
        "0086 13800138000",
        "86-13800138000",
        "１３８００１３８０００",
        "1 3 8 0 0 1 3 8 0 0 0",
        "1380\u200b0138000",
        "138.0013.8000",
        "1380-013-8000",
        "+1 (415) 555-2671",
        "(415) 555-2671",
        "415-555-2671",
        "+44 7911 123456",
        "+44 (0)7911 123456",
        "0044 7911 123456",
        "+852 9123 4567",
        "＋81 90-1234-5678",
        "010-12345678",
        "（0755）12345678",
    ],
    "identity": [
        "11010519491231002X",
        "11010519491231002x",
        "110105 19491231 002X",
        "１１０１０５１９４９１２３１００２Ｘ",
    ],
    "card": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "378282246310005",
        "6222020000000000000",
    ],
    "email": ["zhang.san+shop@mail.example.com", "ZHANG@QQ.COM", "zhang３＠qq．com", "...li_4@163.com"],
    "ip": ["192.168.1.20", "8.8.8.8", "2001:db8::8a2e:370:7334", "fe80::1ff:fe23:4567:890a", "::ffff:192.168.1.9"],
}

HARMLESS = [
    "价格1,299.00元，买了2件，共2598元",
    "尺码 150 160 170 180 190 都有",
    "2013-04-05 12:30:45 下单，2013.04.08到货",
    "订单号20130405123000",
    "ISBN 9787111213826",
    "条码 6901234567892 和 0049000028911",
    "固件版本 4.2.1.0，驱动v10.0.19.2",
    "卡号 4111111111111112 校验位不对",
    "身份证110105194912310021校验位不对，110105194913310020日期不对",
    "运单SF1234567890123",
    "iPhone 13 Pro 256-512，型号A2639",
    "MAC 00:1A:2B:3C:4D:5E",
    "std::vector<int> ab::cd",
    "圆周率3.14159265358979，概率0.13800138000",
    "+100000000 积分",
    "$1,000,000,000",
    "@好友 好评+10086",
    "比例 1:2:3，时间 23:59:59",
    "123456789012345678",
]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in PERSONAL.items() for value in values])
@pytest.mark.parametrize("frame", ["{}", "联系{}，谢谢", "call {} now", "({})。", "a:{}\n"])
def test_personal_data_goes(kind: str, value: str, frame: str) -> None:
    masked = MASKER.mask(frame.format(value))
    assert masked.count == 1
    assert f"<{kind}:" in masked.text
    assert not any(part in masked.text for part in ("138", "2671", "7911", "1949", "1111", "qq", "168"))


@pytest.mark.parametrize("text", HARMLESS)
def test_prices_sizes_dates_and_models_stay(text: str) -> None:
    assert MASKER.mask(text) == (text, 0)


def test_one_value_has_one_token_in_every_spelling() -> None:
    tokens = {MASKER.mask(value).text for value in PERSONAL["phone"][:10]}
    assert len(tokens) == 1
    assert len({MASKER.mask(value).text for value in PERSONAL["identity"]}) == 1
    assert MASKER.mask("A.B@C.com").text == MASKER.mask("a.b@c.COM").text
    assert MASKER.mask("2001:DB8:0:0:0:8a2e:370:7334").text == MASKER.mask("2001:db8::8a2e:370:7334").text


def test_another_salt_gives_other_tokens() -> None:
    assert Masker(b"another salt of the same length .").mask("13800138000") != MASKER.mask("13800138000")


@pytest.mark.parametrize("salt", [b"", b"short", b"x" * 65])
def test_a_salt_has_16_to_64_bytes(salt: bytes) -> None:
    with pytest.raises(ValueError, match="salt"):
        Masker(salt)


def test_the_salt_is_not_shown() -> None:
    assert "salt" not in repr(MASKER)


def test_values_side_by_side() -> None:
    text = "13800138000/13900139000 a@163.com13800138000 1.13800138000 2.13900139000 13800138000.13900139000"
    masked = MASKER.mask(text)
    assert masked.count == 8
    assert "13800" not in masked.text


def test_json_is_masked_throughout() -> None:
    value: dict[str, Json] = {
        "a@b.com": [{"phone": 13800138000}, "call 13800138000"],
        "price": 19999999999.5,
        "n": 7,
        "t": True,
        "z": None,
    }
    masked, count = MASKER.mask_mapping(value)
    assert count == 3
    assert "138" not in str(masked)
    assert masked["price"] == 19999999999.5
    assert (masked["n"], masked["t"], masked["z"]) == (7, True, None)


PIECES = st.sampled_from(
    [value for values in PERSONAL.values() for value in values] + ["1", "+", "@", ".", ":", "x", "  ", "。"]
)
TEXTS = st.lists(PIECES | st.text("0123456789+-. ()@:abf１３", max_size=8), max_size=8).map("".join)


@given(TEXTS)
@example("13800138000.13900139000.13700137000")
@settings(deadline=None, derandomize=True, max_examples=300)
def test_masking_twice_changes_nothing(text: str) -> None:
    masked = MASKER.mask(text)
    assert MASKER.mask(masked.text) == (masked.text, 0)
    assert (masked.text == text) == (masked.count == 0)


@given(st.sampled_from([(p.regex, p.canonical) for p in PATTERNS]), TEXTS)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_the_first_scan_misses_nothing(
    pattern: tuple[re.Pattern[str], Callable[[re.Match[str]], str | None]], text: str
) -> None:
    regex, canonical = pattern
    if any(canonical(match) for match in regex.finditer(text)):
        assert MASKER.mask(text).count > 0


@pytest.mark.parametrize(
    "unit", ["1", "1 ", "a.", "a@", "a", ":", "1:", "1.", "+1", "(", "+", "1-", "-", "a-", "@a.", "１", "\u200b1"]
)
def test_long_hostile_texts_end(unit: str) -> None:
    text = unit * 50_000
    assert len(MASKER.mask(text).text) <= len(text)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}")
@pytest.mark.parametrize(
    ("name", "column", "personal"),
    [
        ("womens_clothing_reviews/reviews.csv.gz", "review", 0),
        ("amazon_musical_instruments/musical_until_2013.csv.gz", "reviewText", 1),
        ("zh_online_shopping_10cats/reviews.csv.gz", "review", 37),
    ],
)
def test_real_reviews_are_left_alone(name: str, column: str, personal: int) -> None:
    """The hits were read one by one: two are false, the price "1.8.8.8" and an order number of 11 digits."""
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as file:
        hits = sum(MASKER.mask(row[column]).count > 0 for row in csv.DictReader(file))
    assert hits == personal
