//! The nearest valid word, and what Kubernetes accepts as a name.

/// The candidate most like `word`, if one is like enough to be worth saying.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::normalized_damerau_levenshtein(&lower, &c.to_lowercase()), c))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}

/// `; did you mean "connections"?`, or the whole list when it is short, or nothing.
pub(super) fn suggest(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(near) => format!("; did you mean {near:?}?"),
        None if candidates.is_empty() => String::new(),
        None => format!("; valid: {}", candidates.join(", ")),
    }
}

/// The beginning of a text that may be long, as one that is no migration's: a file's whole content is no message.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

/// A DNS label (RFC 1123) of at most `most` characters: what Kubernetes takes for the names we derive others from.
pub(super) fn dns_name(name: &str, most: usize) -> Result<(), String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let edges = name.starts_with(good) && name.ends_with(good);
    if !edges || !name.chars().all(|c| good(c) || c == '-') {
        return Err(format!("{name:?} is no Kubernetes name: lower-case letters, digits and -, not at its ends"));
    }
    if name.len() > most {
        return Err(format!(
            "{name:?} is {} characters long; at most {most} leave room for what is derived",
            name.len()
        ));
    }
    Ok(())
}
