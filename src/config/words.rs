//! Words for messages: the nearest of some names, and lists of them.

/// The name that was probably meant, if any is near enough.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let text = text.to_ascii_lowercase().replace('-', "_");
    let measured = names.map(|name| {
        let other = name.to_ascii_lowercase().replace('-', "_");
        (strsim::damerau_levenshtein(&text, &other), name)
    });
    let (distance, name) = measured.min_by_key(|(distance, _)| *distance)?;
    let tolerated = (name.len().max(text.len()) / 3).max(1);
    (distance <= tolerated).then_some(name)
}

/// `` `a`, `b` or `c` ``
pub(super) fn list_words(words: &[&str], last: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}
