//! Network addresses as Postgres prints them.

use std::{
    fmt::Write,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::{
    Block, marshal,
    value::{DecodeError, Field},
};

pub(super) fn mac(raw: &[u8], out: &mut Block) {
    let mut text = String::with_capacity(24);
    for (index, byte) in raw.iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    marshal::text(out, &text);
}

/// PGSQL_AF_INET of PostgreSQL's `inet.h`; the next number is IPv6.
const IPV4: u8 = 2;

/// `network_send` in PostgreSQL's `network.c`: family, prefix bits, whether it is a cidr, length, address. The text
/// has the prefix when it is a cidr or the prefix is not whole.
pub(super) fn address(mut field: Field<'_>, out: &mut Block) -> Result<(), DecodeError> {
    let (family, bits, is_cidr, _) = (field.u8()?, field.u8()?, field.u8()? != 0, field.u8()?);
    let (mut text, whole) = if family == IPV4 {
        let octets = field.0.first_chunk::<4>().ok_or(DecodeError)?;
        (Ipv4Addr::from(*octets).to_string(), 32)
    } else {
        (ipv6((*field.0.first_chunk::<16>().ok_or(DecodeError)?).into()), 128)
    };
    if is_cidr || bits != whole {
        let _ = write!(text, "/{bits}");
    }
    marshal::text(out, &text);
    Ok(())
}

/// As `inet_net_ntop_ipv6`: like Rust's form, but addresses of which only the last two groups are set end as IPv4.
fn ipv6(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, a, b] if a != 0 || (b != 0 && b != 1) => {
            format!("::{}", Ipv4Addr::from((u32::from(a) << 16) | u32::from(b)))
        }
        _ => address.to_string(),
    }
}
