//! Blocks written and read, by code of the tests' own.

use std::fmt;

/// A parameter.
#[derive(Clone, Debug)]
pub enum P {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<P>),
    Tuple(Vec<P>),
    Dict(Vec<(P, P)>),
}

impl From<&Py> for P {
    /// A value as it was read, to be sent back.
    fn from(value: &Py) -> Self {
        let all = |items: &[Py]| items.iter().map(Self::from).collect();
        match value {
            Py::None => Self::None,
            Py::Bool(value) => Self::Bool(*value),
            Py::Int(value) => Self::Int(*value),
            Py::Float(value) => Self::Float(*value),
            Py::Str(value) => Self::Text(value.clone()),
            Py::Bytes(value) => Self::Bytes(value.clone()),
            Py::List(items) => Self::List(all(items)),
            Py::Tuple(items) => Self::Tuple(all(items)),
            Py::Dict(items) => Self::Dict(items.iter().map(|(k, v)| (k.into(), v.into())).collect()),
        }
    }
}

pub fn text(text: &str) -> P {
    P::Text(text.into())
}

pub fn ints(values: &[i128]) -> P {
    P::List(values.iter().map(|value| P::Int(*value)).collect())
}

/// `marshal.dumps(params, 2)`.
pub fn pack(params: &[P]) -> Vec<u8> {
    let mut out = Vec::new();
    items(b'(', params, &mut out);
    out
}

fn items(code: u8, items: &[P], out: &mut Vec<u8>) {
    sized(code, items.len(), out);
    items.iter().for_each(|item| pack_one(item, out));
}

fn sized(code: u8, length: usize, out: &mut Vec<u8>) {
    out.push(code);
    out.extend((length as u32).to_le_bytes());
}

fn pack_one(value: &P, out: &mut Vec<u8>) {
    match value {
        P::None => out.push(b'N'),
        P::Bool(value) => out.push(if *value { b'T' } else { b'F' }),
        P::Int(value) => match i32::try_from(*value) {
            Ok(value) => {
                out.push(b'i');
                out.extend(value.to_le_bytes());
            }
            Err(_) => {
                let mut rest = value.unsigned_abs();
                let mut digits = Vec::new();
                while rest > 0 {
                    digits.push((rest & 0x7fff) as u16);
                    rest >>= 15;
                }
                let count = digits.len() as i32;
                out.push(b'l');
                out.extend((if *value < 0 { -count } else { count }).to_le_bytes());
                out.extend(digits.iter().flat_map(|digit| digit.to_le_bytes()));
            }
        },
        P::Float(value) => {
            out.push(b'g');
            out.extend(value.to_le_bytes());
        }
        P::Text(text) => {
            sized(b'u', text.len(), out);
            out.extend(text.as_bytes());
        }
        P::Bytes(bytes) => {
            sized(b's', bytes.len(), out);
            out.extend(bytes);
        }
        P::List(list) => items(b'[', list, out),
        P::Tuple(list) => items(b'(', list, out),
        P::Dict(pairs) => {
            out.push(b'{');
            for (key, value) in pairs {
                pack_one(key, out);
                pack_one(value, out);
            }
            out.push(b'0');
        }
    }
}

/// A value of a result block. Shown as Python's `repr` for the values of these tests.
#[derive(Clone, Debug, PartialEq)]
pub enum Py {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    Bytes(Vec<u8>),
    Tuple(Vec<Py>),
    List(Vec<Py>),
    Dict(Vec<(Py, Py)>),
}

impl fmt::Display for Py {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |items: &[Py]| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(value) => f.write_str(if *value { "True" } else { "False" }),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) if value.is_nan() => f.write_str("nan"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Str(text) => {
                let quote = if text.contains('\'') { '"' } else { '\'' };
                write!(f, "{quote}{}{quote}", text.replace('\\', "\\\\"))
            }
            Self::Bytes(bytes) => write!(f, "b'{}'", bytes.escape_ascii()),
            Self::Tuple(items) if items.len() == 1 => write!(f, "({},)", items[0]),
            Self::Tuple(items) => write!(f, "({})", join(items)),
            Self::List(items) => write!(f, "[{}]", join(items)),
            Self::Dict(items) => {
                let items: Vec<_> = items.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                write!(f, "{{{}}}", items.join(", "))
            }
        }
    }
}

/// A result block, read.
#[derive(Debug)]
pub struct Answer {
    pub affected: i128,
    /// Name, type's oid, kind.
    pub columns: Vec<(String, u32, String)>,
    /// What columns have behind that: the name of the type, and its parts.
    pub types: Vec<Option<Py>>,
    pub rows: Vec<Vec<Py>>,
}

impl Answer {
    pub fn read(block: &[u8]) -> Self {
        Self::of(unpack_all(block))
    }

    /// The answers of a batch.
    pub fn read_all(block: &[u8]) -> Vec<Self> {
        let Py::Tuple(answers) = unpack_all(block) else { panic!("no tuple") };
        answers.into_iter().map(Self::of).collect()
    }

    fn of(answer: Py) -> Self {
        let Py::Tuple(parts) = answer else { panic!("no tuple") };
        let [Py::Int(affected), Py::Tuple(columns), Py::List(rows)] = &parts[..] else { panic!("{parts:?}") };
        let column = |column: &Py| match column {
            Py::Tuple(parts) => match &parts[..] {
                [Py::Str(name), Py::Int(oid), Py::Str(kind), rest @ ..] if rest.len() < 2 => {
                    ((name.clone(), *oid as u32, kind.clone()), rest.first().cloned())
                }
                _ => panic!("{parts:?}"),
            },
            _ => panic!("{column:?}"),
        };
        let row = |row: &Py| match row {
            Py::Tuple(values) => values.clone(),
            _ => panic!("{row:?}"),
        };
        let (columns, types) = columns.iter().map(column).unzip();
        Self { affected: *affected, columns, types, rows: rows.iter().map(row).collect() }
    }

    pub fn kind(&self) -> &str {
        &self.columns[0].2
    }
}

/// A block of one value.
pub fn unpack_all(block: &[u8]) -> Py {
    let mut rest = block;
    let value = unpack(&mut rest);
    assert!(rest.is_empty(), "{} bytes too many", rest.len());
    value
}

fn unpack(rest: &mut &[u8]) -> Py {
    let code = take(rest, 1)[0];
    match code {
        b'N' => Py::None,
        b'T' => Py::Bool(true),
        b'F' => Py::Bool(false),
        b'i' => Py::Int(u32_at(rest) as i32 as i128),
        b'l' => {
            let count = u32_at(rest) as i32;
            let digits = take(rest, count.unsigned_abs() as usize * 2);
            let digits =
                digits.chunks(2).rev().map(|pair| i128::from(u16::from_le_bytes([pair[0], pair[1]])));
            Py::Int(digits.fold(0, |sum, digit| (sum << 15) | digit) * i128::from(count.signum()))
        }
        b'g' => Py::Float(f64::from_le_bytes(take(rest, 8).try_into().unwrap())),
        b'z' => {
            let length = take(rest, 1)[0].into();
            let text = take(rest, length);
            assert!(text.is_ascii());
            Py::Str(String::from_utf8(text.to_vec()).unwrap())
        }
        b'u' => {
            let length = u32_at(rest) as usize;
            Py::Str(String::from_utf8(take(rest, length).to_vec()).unwrap())
        }
        b's' => {
            let length = u32_at(rest) as usize;
            Py::Bytes(take(rest, length).to_vec())
        }
        b')' => {
            let count = take(rest, 1)[0];
            Py::Tuple((0..count).map(|_| unpack(rest)).collect())
        }
        b'(' => {
            let count = u32_at(rest);
            Py::Tuple((0..count).map(|_| unpack(rest)).collect())
        }
        b'[' => {
            let count = u32_at(rest);
            Py::List((0..count).map(|_| unpack(rest)).collect())
        }
        b'{' => {
            let mut items = Vec::new();
            while rest[0] != b'0' {
                items.push((unpack(rest), unpack(rest)));
            }
            take(rest, 1);
            Py::Dict(items)
        }
        code => panic!("code {code}"),
    }
}

fn u32_at(rest: &mut &[u8]) -> u32 {
    u32::from_le_bytes(take(rest, 4).try_into().unwrap())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, tail) = rest.split_at(count);
    *rest = tail;
    head
}
