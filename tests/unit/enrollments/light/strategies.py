"""Arbitrary JSON, as a faulty remote service may send it."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=True, allow_infinity=True)
    | st.text(max_size=30)
    | st.sampled_from(["NaN", "-1", "1e9", "12.5", "2026-05-04", "2026-05-04T16:20:11Z", "0001-01-01T00:00:00+23:59"])
    | st.just(Decimal("1E+999999"))
)  # fmt: skip
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
