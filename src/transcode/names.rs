//! Names in complaints: the nearest known one, and texts cut to a readable length.

use std::borrow::Cow;

use crate::schema::plan::{Enum, Kind, Message, Tables};
use crate::schema::policy::EnumCase;

/// Longer names are not compared: the distance costs the product of both lengths.
const MAX_COMPARED: usize = 64;
/// Texts of the client are repeated up to this many characters.
const MAX_QUOTED: usize = 48;

/// The known name that looks most like `name`, when one looks like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.is_empty() || name.len() > MAX_COMPARED {
        return None;
    }
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    let folded = fold(name);
    known
        .into_iter()
        .filter(|known| known.len() <= MAX_COMPARED)
        .map(|known| (strsim::damerau_levenshtein(&folded, &fold(known)), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Case and underscores are what people get wrong first.
fn fold(name: &str) -> String {
    name.chars()
        .filter(|char| *char != '_')
        .flat_map(char::to_lowercase)
        .collect()
}

/// The JSON name of a message's field that looks most like `name`.
pub(crate) fn nearest_field<'m>(name: &str, message: &'m Message) -> Option<&'m str> {
    nearest(name, message.fields.iter().map(|field| &*field.json_name))
}

/// What to say of an unknown name.
pub(crate) fn unknown(what: &str, nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || what.to_owned(),
        |nearest| format!("{what}; the nearest known name is `{nearest}`"),
    )
}

/// A text of the client, cut to a readable length.
pub(crate) fn clip(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_QUOTED) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default())),
    }
}

/// The number of an enum value by its name.
pub(crate) fn enum_number(enumeration: &Enum, name: &str, case: EnumCase) -> Option<i32> {
    if let Some(number) = enumeration.by_name.get(name) {
        return Some(*number);
    }
    match case {
        EnumCase::Exact => None,
        EnumCase::Insensitive => enumeration
            .values
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, number)| *number),
    }
}

/// What to say of a name that is no value of an enum.
pub(crate) fn unknown_value(enumeration: &Enum, name: &str) -> String {
    let known = enumeration.values.iter().map(|(known, _)| &**known);
    let what = format!("`{}` is no value of {}", clip(name), enumeration.full_name);
    unknown(&what, nearest(name, known))
}

/// What a value of `kind` is called in a complaint.
pub(crate) fn describe(tables: &Tables, kind: Kind) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "int32",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "int64",
        Kind::Uint32 | Kind::Fixed32 => "uint32",
        Kind::Uint64 | Kind::Fixed64 => "uint64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Enum(id) => return Cow::Owned(tables.enumeration(id).full_name.to_string()),
        Kind::Message(id) | Kind::Group(id) => {
            return Cow::Owned(tables.message(id).full_name.to_string());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_means_a_slip_not_another_word() {
        let known = ["title", "pageSize", "name"];
        for (name, expected) in [
            ("titel", Some("title")),
            ("page_size", Some("pageSize")),
            ("Name", Some("name")),
            ("author", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(clip("short"), "short");
        let clipped = clip(&"ü".repeat(100)).into_owned();
        assert_eq!(clipped.chars().count(), MAX_QUOTED + 1);
    }
}
