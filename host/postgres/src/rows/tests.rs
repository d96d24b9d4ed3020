//! What a server that lies can do to a decoder: nothing but an error.

use proptest::prelude::*;

use super::{
    codec::Codec,
    field::{DecodeError, Field, MAX_DEPTH},
    marshal::Writer,
};

const LIMIT: usize = 1 << 16;

fn all() -> Vec<Codec> {
    use Codec::*;
    let array = |codec| Array(std::boxed::Box::new(codec));
    let pair = || Composite([(23, Int4), (1700, Numeric)].into());
    vec![
        Bool,
        Int2,
        Int4,
        Int8,
        Id4,
        Id8,
        Float4,
        Float8,
        Numeric,
        Text,
        Versioned,
        Char,
        Json,
        Jsonb,
        Bytea,
        Uuid,
        Bits,
        Mac,
        Lsn,
        Tid,
        Snapshot,
        Inet,
        Cidr,
        Date,
        Time,
        TimeTz,
        Timestamp,
        TimestampTz,
        Interval,
        Point,
        Line,
        Segment,
        Box,
        Path,
        Polygon,
        Circle,
        TsVector,
        Hstore,
        Vector,
        Record,
        pair(),
        array(Int4),
        array(Numeric),
        array(pair()),
        array(Record),
        Range(std::boxed::Box::new(Int8)),
        Multirange(std::boxed::Box::new(Numeric)),
    ]
}

fn write(codec: &Codec, raw: &[u8]) -> (Result<(), DecodeError>, usize) {
    let mut out = Writer::new(LIMIT);
    let result = codec.write(Field::new(raw), &mut out);
    (result, out.bytes.len())
}

#[test]
fn what_is_cut_off_or_wrong_is_an_error() {
    let loose = |codec: &Codec| matches!(codec, Codec::Text | Codec::Json | Codec::Bytea);
    for codec in all().iter().filter(|codec| !loose(codec)) {
        assert!(write(codec, b"").0.is_err(), "{codec:?}");
        assert!(write(codec, &[0xff; 25]).0.is_err(), "{codec:?}");
    }
}

#[test]
fn counts_that_lie_are_refused_before_they_cost_anything() {
    let array = |lengths: &[u32]| {
        let head = [lengths.len() as u32, 0, 23];
        let dimensions = lengths.iter().flat_map(|length| [*length, 1]);
        head.into_iter().chain(dimensions).flat_map(u32::to_be_bytes).collect::<Vec<u8>>()
    };
    let ints = Codec::Array(Box::new(Codec::Int4));
    for lengths in
        [&[0x7fff_ffff, 0][..], &[0, 0], &[5], &[0x1_0000, 0x1_0000, 0x1_0000, 0x1_0000, 0x7000], &[1; 7]]
    {
        let (result, size) = write(&ints, &array(lengths));
        assert_eq!(result, Err(DecodeError::Corrupt), "{lengths:?}");
        assert!(size < 100, "{lengths:?}: {size}");
    }
    for codec in [Codec::Record, Codec::Hstore, Codec::TsVector, Codec::Polygon, Codec::Vector] {
        assert_eq!(write(&codec, b"\x7f\xff\xff\xff").0, Err(DecodeError::Corrupt), "{codec:?}");
    }
}

#[test]
fn what_grows_is_stopped_at_the_limit() {
    // 1e131071: ten bytes that print as 131,072.
    let numeric = b"\x00\x01\x7f\xff\x00\x00\x00\x00\x03\xe8";
    let count = 1000_u32;
    let mut array: Vec<u8> = [1, 0, 1700, count, 1].into_iter().flat_map(u32::to_be_bytes).collect();
    for _ in 0..count {
        array.extend(10_u32.to_be_bytes());
        array.extend(numeric);
    }
    let (result, size) = write(&Codec::Array(Box::new(Codec::Numeric)), &array);
    assert_eq!(result, Err(DecodeError::Large));
    assert!(size < LIMIT + 140_000, "{size}");
}

#[test]
fn records_within_records_come_to_an_end() {
    let nested = |depth: usize| {
        (0..depth).fold(1_u32.to_be_bytes().to_vec(), |inner, level| {
            let oid = if level == 0 { 23_u32 } else { 2249 };
            let mut outer = 1_u32.to_be_bytes().to_vec();
            outer.extend(oid.to_be_bytes());
            outer.extend((inner.len() as u32).to_be_bytes());
            outer.extend(inner);
            outer
        })
    };
    assert_eq!(write(&Codec::Record, &nested(MAX_DEPTH)).0, Ok(()));
    assert_eq!(write(&Codec::Record, &nested(MAX_DEPTH + 1)).0, Err(DecodeError::Deep));
}

#[test]
fn what_cannot_be_known_is_named() {
    let record = |oid: u32| {
        let mut raw = 1_u32.to_be_bytes().to_vec();
        raw.extend(oid.to_be_bytes());
        raw.extend((-1_i32).to_be_bytes());
        raw
    };
    assert_eq!(write(&Codec::Record, &record(16_384)).0, Err(DecodeError::Foreign(16_384)));
    let pair = Codec::Composite([(25, Codec::Text)].into());
    assert_eq!(write(&pair, &record(25)).0, Ok(()));
    assert_eq!(write(&pair, &record(23)).0, Err(DecodeError::Changed));
    assert_eq!(write(&pair, &0_u32.to_be_bytes()).0, Err(DecodeError::Changed));
}

proptest! {
    #[test]
    fn any_bytes_are_packed_or_refused(
        raw in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            // Numbers of four bytes, mostly small: closer to what is right.
            proptest::collection::vec(prop_oneof![0..4_u32, 20..26_u32, any::<u32>()], 0..20)
                .prop_map(|words| words.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<u8>>()),
        ],
    ) {
        for codec in all() {
            let (_, size) = write(&codec, &raw);
            prop_assert!(size < LIMIT + 140_000, "{:?}", codec);
        }
    }
}
