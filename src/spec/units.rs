//! Durations (`1h30m`) and sizes in bytes (`16MiB`) as people write them.

use std::time::Duration;

/// From the largest: in a duration each may stand once, in this order.
const TIME: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZE: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// `90s`, `1h30m`, `250ms`; the units d h m s ms, from large to small. The error is a lower-case fragment.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |why: String| format!("{text:?} is not a duration: {why}");
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        return Err(wrong(format!("the unit is missing; did you mean \"{text}s\"?")));
    }
    let (mut rest, mut allowed, mut total) = (text, &TIME[..], 0u64);
    while !rest.is_empty() {
        let (number, after) =
            digits(rest).ok_or_else(|| wrong("write it as in \"90s\", \"5m\" or \"1h30m\"".into()))?;
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(end);
        let place = allowed
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(|| wrong(format!("{unit:?} is not one of d, h, m, s, ms in that order")))?;
        total = number
            .checked_mul(allowed[place].1)
            .and_then(|ms| total.checked_add(ms))
            .ok_or_else(|| wrong("it is too long".into()))?;
        (rest, allowed) = (tail, &allowed[place + 1..]);
    }
    if text.is_empty() {
        return Err(wrong("it is empty".into()));
    }
    Ok(Duration::from_millis(total))
}

/// `16MiB`, `1GB`, `512B`; a bare number is bytes. The error is a lower-case fragment.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = |why: &str| format!("{text:?} is not a size: {why}");
    let (number, unit) = digits(text).ok_or_else(|| wrong("write it as in \"16MiB\""))?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Ok(number);
    }
    match SIZE.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => number.checked_mul(*factor).ok_or_else(|| wrong("it is too large")),
        None => {
            let known = SIZE.map(|(name, _)| name);
            Err(format!("{text:?} is not a size: unknown unit {unit:?}{}", super::words::suggest(unit, &known)))
        }
    }
}

/// The shortest text that [`duration`] reads back to the same milliseconds.
pub fn duration_text(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in TIME {
        if rest / factor > 0 {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// The largest binary unit that divides it: `16MiB`.
pub fn bytes_text(bytes: u64) -> String {
    let exact = SIZE[..4].iter().find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor));
    match exact {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

/// The number at the front (None: there is none, or it does not fit) and what follows it.
fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}
