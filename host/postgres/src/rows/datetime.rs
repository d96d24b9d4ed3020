//! Dates, times and intervals: ISO 8601 for what Python's types hold, Postgres's own text in a 1-tuple for the rest.
//!
//! Binary forms: days or microseconds since 2000-01-01 (PostgreSQL's `timestamp.c`, `date.c`); the extremes of the
//! integers mean the infinities.

use super::marshal::Writer;

pub(crate) const DAY: i64 = 86_400_000_000;

/// A text in the making, on the stack: the longest here is under 40 characters.
pub(crate) struct Text {
    bytes: [u8; 48],
    length: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; 48], length: 0 }
    }

    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.push(byte));
    }

    fn two(&mut self, value: u64) {
        self.push(b'0' + (value / 10 % 10) as u8);
        self.push(b'0' + (value % 10) as u8);
    }

    /// At least four digits.
    fn year(&mut self, value: u64) {
        if value > 9999 {
            self.number(value / 10_000);
        }
        self.two(value / 100 % 100);
        self.two(value % 100);
    }

    fn number(&mut self, value: u64) {
        if value > 9 {
            self.number(value / 10);
        }
        self.push(b'0' + (value % 10) as u8);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn write(&self, plain: bool, out: &mut Writer) {
        if !plain {
            out.tuple(1);
        }
        out.ascii(|text| text.extend_from_slice(self.bytes()));
    }
}

/// Writes what stands apart: a text that Python's type has no value for.
fn apart(text: &str, out: &mut Writer) {
    out.tuple(1);
    out.text(text);
}

/// Year, month and day of a day count since 2000-01-01, in the proleptic Gregorian calendar with a year 0
/// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, u64, u64) {
    // Counted from 0000-03-01, so that the leap day comes last.
    let days = days + 730_425;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u64, day as u64)
}

/// The date without its era, and whether the year is one of Python's (1 to 9999).
pub(crate) fn put_date(days: i64, text: &mut Text) -> (bool, bool) {
    let (year, month, day) = civil(days);
    let before_christ = year <= 0;
    // The year 0 is 1 BC.
    let shown = if before_christ { 1 - year } else { year };
    text.year(shown as u64);
    text.push(b'-');
    text.two(month);
    text.push(b'-');
    text.two(day);
    (!before_christ && year <= 9999, before_christ)
}

/// Hours to microseconds. In ISO form a fraction has six digits; Postgres drops its trailing zeros.
pub(crate) fn put_time(micros: i64, iso: bool, text: &mut Text) {
    let micros = micros.unsigned_abs();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    text.two(seconds / 3600);
    text.push(b':');
    text.two(seconds / 60 % 60);
    text.push(b':');
    text.two(seconds % 60);
    if fraction > 0 {
        text.push(b'.');
        [fraction / 10_000, fraction / 100, fraction].into_iter().for_each(|pair| text.two(pair % 100));
        while !iso && text.length > 0 && text.bytes.get(text.length - 1) == Some(&b'0') {
            text.length -= 1;
        }
    }
}

pub(super) fn date(days: i32, out: &mut Writer) {
    match days {
        i32::MAX => return apart("infinity", out),
        i32::MIN => return apart("-infinity", out),
        _ => {}
    }
    let mut text = Text::new();
    let (plain, before_christ) = put_date(days.into(), &mut text);
    if before_christ {
        text.text(" BC");
    }
    text.write(plain, out);
}

pub(super) fn time(micros: i64, out: &mut Writer) {
    let mut text = Text::new();
    put_time(micros, true, &mut text);
    // 24:00:00 is a time in Postgres.
    text.write(micros < DAY, out);
}

pub(super) fn time_tz(micros: i64, seconds_west: i32, out: &mut Writer) {
    let mut text = Text::new();
    put_time(micros, true, &mut text);
    put_offset(seconds_west, micros < DAY, &mut text);
    text.write(micros < DAY, out);
}

/// Postgres leaves out minutes and seconds that are 0; Python wants the minutes.
fn put_offset(seconds_west: i32, iso: bool, text: &mut Text) {
    text.push(if seconds_west > 0 { b'-' } else { b'+' });
    let seconds = u64::from(seconds_west.unsigned_abs());
    text.two(seconds / 3600);
    if iso || !seconds.is_multiple_of(3600) {
        text.push(b':');
        text.two(seconds / 60 % 60);
    }
    if !seconds.is_multiple_of(60) {
        text.push(b':');
        text.two(seconds % 60);
    }
}

/// `utc`: with time zone, which is stored as UTC.
pub(super) fn timestamp(micros: i64, utc: bool, out: &mut Writer) {
    match micros {
        i64::MAX => return apart("infinity", out),
        i64::MIN => return apart("-infinity", out),
        _ => {}
    }
    let (days, time) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let mut text = Text::new();
    let (plain, before_christ) = put_date(days, &mut text);
    text.push(if plain { b'T' } else { b' ' });
    put_time(time, plain, &mut text);
    if utc {
        text.text(if plain { "+00:00" } else { "+00" });
    }
    if before_christ {
        text.text(" BC");
    }
    text.write(plain, out);
}

/// The extremes of all three fields mean the infinities (PostgreSQL 17 and later).
pub(super) fn interval(micros: i64, days: i32, months: i32, out: &mut Writer) {
    match (micros, days, months) {
        (i64::MAX, i32::MAX, i32::MAX) => return apart("infinity", out),
        (i64::MIN, i32::MIN, i32::MIN) => return apart("-infinity", out),
        _ => {}
    }
    out.tuple(3);
    out.i32(months);
    out.i32(days);
    out.int(micros.into());
}
