"""Enumerations with labels that Django accepts as choices, without importing Django."""

from enum import EnumType, StrEnum


def _label_of(member: object) -> str:
    return str(getattr(member, "label", member))


class _ChoicesType(EnumType):
    do_not_call_in_templates = True
    """Keeps Django templates from calling the class."""

    @property
    def choices(cls) -> list[tuple[str, str]]:
        return list(zip(cls.values, cls.labels, strict=True))

    @property
    def values(cls) -> list[str]:
        return [str(value) for value in cls._value2member_map_]

    @property
    def labels(cls) -> list[str]:
        return [_label_of(member) for member in cls._value2member_map_.values()]

    def __contains__(cls, value: object) -> bool:
        return value in cls.values


class Choices(StrEnum, metaclass=_ChoicesType):
    """Stored codes with labels: `OPEN = "OPEN", "Open"`."""

    label: str

    def __new__(cls, value: str, label: str = "") -> "Choices":
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member
