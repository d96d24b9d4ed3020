//! Numbers as the server writes them.
//!
//! Floats (`double_to_shortest_decimal_buf` and `float_to_shortest_decimal_buf` in PostgreSQL's `src/common`): the
//! shortest digits that read back as the same value. Of several such the server takes the nearest, of two that are as
//! near the even one, and none that lies half-way to the next float, which only a reader that rounds right reads
//! back. The digits come from `zmij`, and are put right where these rules differ from its own.

pub(super) fn int(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub(super) fn float8(value: f64, out: &mut Vec<u8>) {
    let bits = value.to_bits();
    let binary = Binary::new(bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32, 52);
    let text = |text: &str| text.parse::<f64>().is_ok_and(|back| back == value.abs());
    let rounded = |digits: usize| format!("{:.*e}", digits, value.abs());
    if let Some(out) = plain_or(value.is_nan(), value.is_infinite(), value.is_sign_negative(), out) {
        let mut buffer = zmij::Buffer::new();
        let shortest = Decimal::read(buffer.format_finite(value.abs()));
        shortest.corrected(binary, &text, &rounded).put(15, out);
    }
}

pub(super) fn float4(value: f32, out: &mut Vec<u8>) {
    let bits = value.to_bits();
    let binary = Binary::new((bits & ((1 << 23) - 1)).into(), (bits >> 23 & 0xff) as i32, 23);
    let text = |text: &str| text.parse::<f32>().is_ok_and(|back| back == value.abs());
    let rounded = |digits: usize| format!("{:.*e}", digits, value.abs());
    if let Some(out) = plain_or(value.is_nan(), value.is_infinite(), value.is_sign_negative(), out) {
        let mut buffer = zmij::Buffer::new();
        let shortest = Decimal::read(buffer.format_finite(value.abs()));
        shortest.corrected(binary, &text, &rounded).put(6, out);
    }
}

/// Appends the sign, and the word if the value is no finite one; else the digits are to follow.
fn plain_or(nan: bool, infinite: bool, negative: bool, out: &mut Vec<u8>) -> Option<&mut Vec<u8>> {
    if nan {
        out.extend_from_slice(b"NaN");
        return None;
    }
    if negative {
        out.push(b'-');
    }
    if infinite {
        out.extend_from_slice(b"Infinity");
        return None;
    }
    Some(out)
}

/// A float's magnitude: `mantissa` times 2 to the power of `exponent`.
#[derive(Clone, Copy)]
struct Binary {
    mantissa: u64,
    exponent: i32,
    /// The float below is half as far as the one above.
    is_lowest: bool,
}

impl Binary {
    /// From the fields of its IEEE 754 form; `width` is that of the fraction in bits.
    const fn new(fraction: u64, exponent: i32, width: i32) -> Self {
        let bias = if width == 52 { 1023 } else { 127 };
        if exponent == 0 {
            return Self { mantissa: fraction, exponent: 1 - bias - width, is_lowest: false };
        }
        let is_lowest = fraction == 0 && exponent > 1;
        Self { mantissa: fraction | 1 << width, exponent: exponent - bias - width, is_lowest }
    }

    /// How many digits it has behind the binary point, which is as many as behind the decimal point.
    const fn fraction(self) -> i32 {
        let odd = self.exponent + self.mantissa.trailing_zeros() as i32;
        if odd < 0 { -odd } else { 0 }
    }

    /// Whether a decimal lies half-way to a neighbour. Only whole numbers do that have as few digits.
    fn is_bound(self, decimal: Decimal) -> bool {
        let Ok(power) = u32::try_from(decimal.exponent) else { return false };
        let twos = decimal.digits.trailing_zeros();
        let fives = 5_u128.checked_pow(power);
        let odd = fives.and_then(|fives| fives.checked_mul((decimal.digits >> twos).into()));
        let is = |half: u64, exponent| odd == Some(half.into()) && (twos + power) as i32 == exponent;
        let twice = self.mantissa * 2;
        is(twice + 1, self.exponent - 1)
            || is(twice.wrapping_sub(1), self.exponent - 1)
            || (self.is_lowest && is((self.mantissa * 4).wrapping_sub(1), self.exponent - 2))
    }
}

/// `digits` times 10 to the power of `exponent`, without zeros at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    digits: u64,
    exponent: i32,
}

impl Decimal {
    /// Reads `12.5`, `1e16` or `1.25e-7`.
    fn read(text: &str) -> Self {
        let (number, power) = text.split_once('e').unwrap_or((text, "0"));
        let mut exponent = power.parse().unwrap_or(0);
        let (mut digits, mut behind) = (0_u64, false);
        for byte in number.bytes() {
            if byte == b'.' {
                behind = true;
            } else {
                digits = digits * 10 + u64::from(byte - b'0');
                exponent -= i32::from(behind);
            }
        }
        while digits != 0 && digits.is_multiple_of(10) {
            digits /= 10;
            exponent += 1;
        }
        if digits == 0 { Self { digits, exponent: 0 } } else { Self { digits, exponent } }
    }

    /// By the server's rules. `reads_back`: whether a text means the value; `rounded`: the value with so many digits
    /// behind its first.
    fn corrected(
        self,
        binary: Binary,
        reads_back: &dyn Fn(&str) -> bool,
        rounded: &dyn Fn(usize) -> String,
    ) -> Self {
        if self.exponent < 0 && binary.fraction() == 1 - self.exponent {
            // One digit more and it would be exact: that digit is a 5, and the value as near to the next decimal.
            let odd = u128::from(binary.mantissa >> binary.mantissa.trailing_zeros());
            let times =
                5_u128.checked_pow(self.exponent.unsigned_abs()).and_then(|fives| fives.checked_mul(odd));
            let below = times.and_then(|twice| u64::try_from(twice >> 1).ok());
            let even = below.map_or(self, |below| Self { digits: below + (below & 1), ..self });
            // Below a power of two floats are half as far apart: the even one may be another's.
            let is_other = binary.is_lowest && !reads_back(&format!("{}e{}", even.digits, even.exponent));
            return if is_other { self } else { even };
        }
        if !binary.is_bound(self) {
            return self;
        }
        let length = itoa::Buffer::new().format(self.digits).len();
        let within = |decimal: &Self| {
            reads_back(&format!("{}e{}", decimal.digits, decimal.exponent)) && !binary.is_bound(*decimal)
        };
        let near = |more: usize| {
            let text = rounded(more);
            let near = Self::read(&text);
            // Of this many digits, so that its neighbours are.
            let unit =
                more as i32 + near.exponent - text.split_once('e').map_or(0, |(_, e)| e.parse().unwrap_or(0));
            let digits = near.digits * 10_u64.pow(unit.unsigned_abs());
            let exponent = near.exponent - unit;
            [digits, digits + 1, digits - 1].map(|digits| Self { digits, exponent })
        };
        (length - 1..17).flat_map(near).find(within).unwrap_or(self)
    }

    /// Appends it, without an exponent from 0.0001 to less than 10 to the power of `fixed`.
    fn put(self, fixed: i32, out: &mut Vec<u8>) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(self.digits);
        let power = self.exponent + digits.len() as i32 - 1;
        let count = |number: i32| usize::try_from(number).unwrap_or(0);
        let zeros = |number: i32, out: &mut Vec<u8>| out.resize(out.len() + count(number), b'0');
        let point_at = |at: usize, out: &mut Vec<u8>| {
            let (whole, behind) = digits.split_at_checked(at).unwrap_or((digits, ""));
            out.extend_from_slice(whole.as_bytes());
            if !behind.is_empty() {
                out.push(b'.');
                out.extend_from_slice(behind.as_bytes());
            }
        };
        if !(-4..fixed).contains(&power) {
            point_at(1, out);
            out.extend_from_slice(if power < 0 { b"e-" } else { b"e+" });
            if power.abs() < 10 {
                out.push(b'0');
            }
            int(power.unsigned_abs(), out);
        } else if power < 0 {
            out.extend_from_slice(b"0.");
            zeros(-power - 1, out);
            out.extend_from_slice(digits.as_bytes());
        } else {
            point_at(count(power) + 1, out);
            zeros(self.exponent, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_as_the_server_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (-1e15, "-1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.25e-300, "1.25e-300"),
            (5e-324, "5e-324"),
            // As near to …062e-08, which is nearer to the float below.
            (2_f64.powi(-24), "5.960464477539063e-08"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
            // As near to …624.3.
            (2_f64.powi(50) + 0.25, "1.1258999068426242e+15"),
        ] {
            assert_eq!(written(|out| float8(value, out)), text);
        }
        for (value, text) in
            [(1e6, "1e+06"), (999_999.0, "999999"), (2_f32.powi(20) + 0.25, "1.0485762e+06"), (0.1, "0.1")]
        {
            assert_eq!(written(|out| float4(value, out)), text);
        }
    }
}
