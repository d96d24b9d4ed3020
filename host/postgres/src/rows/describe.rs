//! What a reader is told of a column's type, or of a part of one.

use postgres_types::{Kind, Type};

use super::{codec::Codec, marshal::Writer};

/// Writes `(name, oid, kind)`; a fourth item `(type's name, descriptions of its parts)` follows when the type is
/// not built in, or is made of others in a way that `kind` alone does not tell.
pub(super) fn write(name: &str, ty: &Type, codec: &Codec, out: &mut Writer) {
    let ty = base(ty);
    let kind = codec.kind();
    let named = is_named(ty, codec);
    out.tuple(if named { 4 } else { 3 });
    out.text(name);
    out.int(ty.oid().into());
    out.text(&kind);
    if named {
        out.tuple(2);
        out.text(&type_name(ty));
        parts(ty, codec, out);
    }
}

fn parts(ty: &Type, codec: &Codec, out: &mut Writer) {
    match (ty.kind(), codec) {
        (Kind::Array(part), Codec::Array(codec)) => {
            out.tuple(1);
            write("", part, codec, out);
        }
        (Kind::Range(part) | Kind::Multirange(part), Codec::Range(codec) | Codec::Multirange(codec)) => {
            out.tuple(1);
            write("", part, codec, out);
        }
        (Kind::Composite(fields), Codec::Composite(codecs)) => {
            out.tuple(codecs.len());
            for (field, (_, codec)) in fields.iter().zip(codecs) {
                write(field.name(), field.type_(), codec, out);
            }
        }
        _ => out.tuple(0),
    }
}

fn is_named(ty: &Type, codec: &Codec) -> bool {
    match (ty.kind(), codec) {
        (Kind::Array(part), Codec::Array(codec)) => is_named(base(part), codec),
        (Kind::Range(_) | Kind::Multirange(_) | Kind::Composite(_), _) => true,
        _ => Type::from_oid(ty.oid()).is_none(),
    }
}

/// As SQL writes it, with its schema unless that is the catalogue's.
fn type_name(ty: &Type) -> String {
    match (ty.kind(), ty.schema()) {
        (Kind::Array(part), _) => format!("{}[]", type_name(part)),
        (_, "pg_catalog") => ty.name().to_owned(),
        (_, schema) => format!("{schema}.{}", ty.name()),
    }
}

/// A domain is its base type: that is also what the server says of a column.
pub(super) fn base(ty: &Type) -> &Type {
    match ty.kind() {
        Kind::Domain(inner) => base(inner),
        _ => ty,
    }
}
