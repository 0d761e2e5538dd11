"""chainrule/data/dates.py"""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.dates import FoundOrder, date_parts, moments, order_of, order_of_numbers


@pytest.mark.parametrize(
    ("text", "order", "moment"),
    [
        ("2024-01-31", "year first", "2024-01-31"),
        ("2024/1/31 7:05", "year first", "2024-01-31T07:05"),
        ("2024-01-31T10:30:15.250Z", "year first", "2024-01-31T10:30:15"),
        ("2024-01-31 10:30:15+02:00", "year first", "2024-01-31T10:30:15"),
        ("2024-03", "year first", "2024-03-01"),
        ("31.1.2024", "day first", "2024-01-31"),
        ("31/12/99 23:59", "day first", "1999-12-31T23:59"),
        ("1/31/2024 12:00 AM", "month first", "2024-01-31"),
        ("1/31/2024, 12:30 p.m.", "month first", "2024-01-31T12:30"),
        ("31-Jan-24", "month name", "2024-01-31"),
        ("31st January 2024", "month name", "2024-01-31"),
        ("Sept. 3, 2024", "month name", "2024-09-03"),
        ("Wed, 31 Jan 2024 10:00:00 GMT", "month name", "2024-01-31T10:00"),
        ("Dec-2015", "month name", "2015-12-01"),
        ("22:15", "time", "1970-01-01T22:15"),
        ("20240131", "digits", "2024-01-31"),
        ("86400", "seconds", "1970-01-02"),
        ("86400000", "milliseconds", "1970-01-02"),
    ],
)
def test_one_date(text, order, moment):
    assert moments([f" {text}"], order)[0] == np.datetime64(moment)
    if order not in ("digits", "seconds", "milliseconds"):
        assert order_of([text], np.ones(1)) in (FoundOrder(order), FoundOrder(order, True))


@pytest.mark.parametrize(
    "text",
    [
        *("2023-02-29", "2024-13-01", "0000-01-01", "2024-01-31 24:00", "31.4.2024", "1.2.3"),
        *("10.0.0.1", "1.15.24", "2010.11", "May", "Mayday 5, 2024", "5:3", "25:00", "13:00 pm"),
        *("room 12", "31-Foo-2024", "", "2024-01-31" * 10),
    ],
)
def test_other_text(text):
    assert order_of([text], np.ones(1)) is None


@pytest.mark.parametrize(
    ("texts", "order", "assumed"),
    [
        (["1/2/2024", "13/2/2024"], "day first", False),
        (["1/2/2024", "2/13/2024"], "month first", False),
        (["1/2/2024", "3/4/2024"], "month first", True),
        (["1.2.2024", "3.4.2024"], "day first", True),
        (["1/1/2024", "2/2/2024"], "month first", False),
    ],
)
def test_the_order_of_day_and_month(texts, order, assumed):
    assert order_of(texts, np.ones(len(texts))) == FoundOrder(order, assumed)


def test_nearly_all_cells_must_be_dates():
    assert order_of(["2024-01-31", "soon"], np.array([95, 5])) == FoundOrder("year first")
    assert order_of(["2024-01-31", "soon"], np.array([94, 6])) is None


@pytest.mark.parametrize(
    ("values", "order"),
    [([20240131, 19991231], "digits"), ([1.7e9], "seconds"), ([1.7e12], "milliseconds")],
)
def test_numbers_as_dates(values, order):
    assert order_of_numbers(np.array([*values, np.nan])) == order


@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))
def test_the_parts_are_those_of_datetime(moment):
    moment = moment.replace(microsecond=0)
    [found] = moments([moment.isoformat()], "year first")
    origin = np.datetime64("2000-01-01")
    days = (moment - datetime.datetime(2000, 1, 1)) / datetime.timedelta(days=1)
    hour = moment.hour + moment.minute / 60 + moment.second / 3600
    expected = [moment.year, moment.month, moment.day, moment.weekday(), hour, days]
    np.testing.assert_allclose(date_parts(np.array([found]), origin)[0], expected, rtol=1e-12)


def test_a_missing_date_has_no_parts():
    found = np.array(["NaT"], "datetime64[s]")
    assert np.isnan(date_parts(found, np.datetime64("2000-01-01"))).all()
