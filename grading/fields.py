"""Read a JSON object strictly: every key once, of its type, and none left over."""

from __future__ import annotations

from pathlib import Path

from grading.errors import BundleError

Scalar = str | int | float | bool | None


class Fields:
    """The keys of one JSON object, taken one by one until none is left."""

    def __init__(self, path: Path, where: str, content: object) -> None:
        self._path = path
        self._where = where
        if not isinstance(content, dict):
            raise BundleError(f"{path}: {where or 'the card'} is not a JSON object")
        self._left: dict[str, object] = dict(content)

    def text(self, key: str) -> str:
        """Take a string."""
        value = self._take(key)
        if not isinstance(value, str):
            raise self.wrong(key, value, "a string")
        return value

    def number(self, key: str) -> float:
        """Take a number."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, value, "a number")
        return float(value)

    def whole(self, key: str) -> int:
        """Take a whole number."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, value, "a whole number")
        return value

    def fields(self, key: str) -> Fields:
        """Take an object."""
        return Fields(self._path, self._name(key), self._take(key))

    def optional_fields(self, key: str) -> Fields | None:
        """Take an object that older files lack; None where it is absent or null."""
        if self._left.get(key) is None:
            self._left.pop(key, None)
            return None
        return self.fields(key)

    def optional_text(self, key: str) -> str:
        """Take a string that older files lack; empty where it is absent."""
        return self.text(key) if key in self._left else ""

    def optional_whole(self, key: str) -> int | None:
        """Take a whole number that older files lack; None where absent or null."""
        if self._left.get(key) is None:
            self._left.pop(key, None)
            return None
        return self.whole(key)

    def names(self) -> list[str]:
        """Return the keys that are left."""
        return list(self._left)

    def each(self, key: str) -> list[Fields]:
        """Take a list of objects."""
        value = self._take(key)
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list")
        return [
            Fields(self._path, f"{self._name(key)}[{i}]", one)
            for i, one in enumerate(value)
        ]

    def wholes(self, key: str) -> list[int]:
        """Take a list of whole numbers."""
        value = self._take(key)
        if not isinstance(value, list) or any(type(one) is not int for one in value):
            raise self.wrong(key, value, "a list of whole numbers")
        return value

    def numbers(self) -> dict[str, float]:
        """Take all that is left as numbers by name."""
        return {key: self.number(key) for key in list(self._left)}

    def scalars(self) -> dict[str, Scalar]:
        """Take all that is left as plain values by name."""
        taken: dict[str, Scalar] = {}
        for key in list(self._left):
            value = self._take(key)
            if not isinstance(value, str | int | float | bool | None):
                raise self.wrong(key, value, "a plain value")
            taken[key] = value
        return taken

    def end(self) -> None:
        """Refuse what nobody has taken."""
        if self._left:
            key = self._name(next(iter(self._left)))
            raise BundleError(f"{self._path}: unknown key `{key}`; remove it")

    def wrong(self, key: str, value: object, expected: str) -> BundleError:
        """Return the error for a value that is not what it should be."""
        return BundleError(
            f"{self._path}: `{self._name(key)}` is {value!r}, expected {expected}"
        )

    def _take(self, key: str) -> object:
        if key not in self._left:
            raise BundleError(f"{self._path}: key `{self._name(key)}` is missing")
        return self._left.pop(key)

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key
