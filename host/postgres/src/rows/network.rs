//! Network addresses as Postgres prints them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    field::{DecodeError, Field},
    marshal::Writer,
    value::put,
};

pub(super) fn mac(raw: &[u8], out: &mut Writer) -> Result<(), DecodeError> {
    if !matches!(raw.len(), 6 | 8) {
        return Err(DecodeError::Corrupt);
    }
    out.ascii(|text| {
        for (index, byte) in raw.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            put(text, format_args!("{colon}{byte:02x}"));
        }
    });
    Ok(())
}

/// PGSQL_AF_INET of PostgreSQL's `inet.h`; the next number is IPv6.
const IPV4: u8 = 2;

/// `network_send` in PostgreSQL's `network.c`: family, prefix bits, whether it is a cidr, length, address. The text
/// has the prefix when it is a cidr or the prefix is not whole.
pub(super) fn address(field: &mut Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let (family, bits, is_cidr, _) = (field.u8()?, field.u8()?, field.u8()? != 0, field.u8()?);
    let prefix = |text: &mut Vec<u8>, whole| {
        if is_cidr || bits != whole {
            put(text, format_args!("/{bits}"));
        }
    };
    if family == IPV4 {
        let address = Ipv4Addr::from(field.array::<4>()?);
        out.ascii(|text| {
            put(text, format_args!("{address}"));
            prefix(text, 32);
        });
    } else {
        let address = field.array::<16>()?.into();
        out.ascii(|text| {
            ipv6(address, text);
            prefix(text, 128);
        });
    }
    Ok(())
}

/// As `inet_net_ntop_ipv6`: like Rust's form, but addresses of which only the last two groups are set end as IPv4.
fn ipv6(address: Ipv6Addr, text: &mut Vec<u8>) {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, a, b] if a != 0 || (b != 0 && b != 1) => {
            put(text, format_args!("::{}", Ipv4Addr::from((u32::from(a) << 16) | u32::from(b))));
        }
        _ => put(text, format_args!("{address}")),
    }
}
