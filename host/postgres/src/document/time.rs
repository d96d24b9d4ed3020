//! Dates and times as the server writes them (`EncodeDateOnly`, `EncodeTimeOnly`, `EncodeDateTime` in PostgreSQL's
//! `datetime.c`).

use super::form::Dates;
use crate::rows::{DAY, Text, put_date, put_time};

pub(super) fn date(days: i32, out: &mut Vec<u8>) {
    match days {
        i32::MAX => return out.extend_from_slice(b"infinity"),
        i32::MIN => return out.extend_from_slice(b"-infinity"),
        _ => {}
    }
    let mut text = Text::new();
    let (_, before_christ) = put_date(days.into(), &mut text);
    if before_christ {
        text.text(" BC");
    }
    out.extend_from_slice(text.bytes());
}

pub(super) fn time(micros: i64, out: &mut Vec<u8>) {
    let mut text = Text::new();
    put_time(micros, false, &mut text);
    out.extend_from_slice(text.bytes());
}

/// `in_utc`: with the time zone, which is UTC.
pub(super) fn timestamp(micros: i64, dates: Dates, in_utc: bool, out: &mut Vec<u8>) {
    match micros {
        i64::MAX => return out.extend_from_slice(b"infinity"),
        i64::MIN => return out.extend_from_slice(b"-infinity"),
        _ => {}
    }
    let mut text = Text::new();
    let (_, before_christ) = put_date(micros.div_euclid(DAY), &mut text);
    let (between, zone) = match dates {
        Dates::Iso => (b' ', "+00"),
        Dates::Json => (b'T', "+00:00"),
    };
    text.push(between);
    put_time(micros.rem_euclid(DAY), false, &mut text);
    if in_utc {
        text.text(zone);
    }
    if before_christ {
        text.text(" BC");
    }
    out.extend_from_slice(text.bytes());
}
