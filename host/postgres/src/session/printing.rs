//! The settings by which a server writes values as text.

use super::Session;
use crate::{PgError, judge::Trace};

/// How a session's server writes values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Printing {
    /// Times with time zone are shown in UTC.
    pub(crate) in_utc: bool,
    /// Dates outside of JSON are in ISO form.
    pub(crate) iso_dates: bool,
    /// Floats are in their shortest exact form.
    pub(crate) shortest_floats: bool,
    /// Bytes are in hex.
    pub(crate) hex_bytes: bool,
}

/// Its answers in their order, a line each. Not all of them are settings that a server reports by itself.
const SETTINGS: &str = "SELECT pg_catalog.concat_ws(E'\\n', pg_catalog.current_setting('TimeZone'), \
    pg_catalog.current_setting('DateStyle'), pg_catalog.current_setting('extra_float_digits'), \
    pg_catalog.current_setting('bytea_output'), pg_catalog.current_setting('server_version_num'))";

/// The names of UTC that servers have as their default, and those of the same zone in everyday use.
const UTC: &[&str] =
    &["UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Etc/UCT", "Zulu", "Universal", "Etc/Universal"];

impl Session {
    /// How the server of a clean session writes values; it is asked once, and again when it has reported a change since.
    /// A configuration that is loaded anew can change floats and bytes without a report: sessions that are open go on
    /// as they began.
    pub(crate) async fn printing(&mut self) -> Result<Printing, PgError> {
        if self.least != Trace::None {
            // What its statements do to its settings is not known.
            return Ok(Printing::default());
        }
        let reported = self.seen.settings();
        if let Some((then, printing)) = self.printing
            && then == reported
        {
            return Ok(printing);
        }
        let answer = self.ask(SETTINGS).await?;
        let printing =
            answer.into_iter().flatten().next().map(|text| Printing::read(&text)).unwrap_or_default();
        self.printing = Some((reported, printing));
        Ok(printing)
    }
}

impl Printing {
    fn read(settings: &str) -> Self {
        let mut lines = settings.lines();
        let mut next = || lines.next().unwrap_or_default();
        let (zone, dates, digits, bytes, version) = (next(), next(), next(), next(), next());
        let number = |text: &str| text.parse::<i32>().unwrap_or(0);
        Self {
            in_utc: UTC.contains(&zone),
            iso_dates: dates.starts_with("ISO"),
            // Since version 12.
            shortest_floats: number(version) >= 120_000 && number(digits) > 0,
            hex_bytes: bytes == "hex",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_in_their_order() {
        let all = Printing { in_utc: true, iso_dates: true, shortest_floats: true, hex_bytes: true };
        assert_eq!(Printing::read("UTC\nISO, MDY\n1\nhex\n180000"), all);
        assert_eq!(Printing::read("Europe/Zurich\nSQL, DMY\n0\nescape\n180000"), Printing::default());
        assert!(!Printing::read("UTC\nISO, MDY\n3\nhex\n110022").shortest_floats);
        assert_eq!(Printing::read(""), Printing::default());
    }
}
