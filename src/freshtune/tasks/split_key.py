"""What is equal for the held-out split and for exact duplicates: text after NFKC, case, space and punctuation."""

import unicodedata


class _Kept(dict[int, int | None]):
    """A translation table that decides about each character once: punctuation, space, controls and symbols go."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if unicodedata.category(chr(code))[0] in "PZCS" else code
        return self[code]


_KEPT = _Kept()


def normalised(text: str) -> str:
    """Fold a text to what its equals share.

    Symbols fall with punctuation; a text of nothing else (a lone emoji) keeps itself.

    >>> normalised("Ｇood, 手机！ ") == normalised("good手机")
    True
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded.translate(_KEPT) or folded.strip()
