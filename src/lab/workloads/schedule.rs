//! Five-field cron schedules (minute, hour, day of month, month, day of week), as CronJob's `spec.schedule` has them.
use jiff::civil::DateTime;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// One bit per value, for each of the five fields.
    fields: [u64; 5],
    /// `*` in both day fields means every day; a day named in either field is enough (crontab(5)).
    any_day: [bool; 2],
}

const RANGES: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
const MONTHS: &[&str] = &["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// None: not a schedule that this understands.
    pub fn parse(text: &str) -> Option<Schedule> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let words: [&str; 5] = words.try_into().ok()?;
        let mut fields = [0; 5];
        for (index, word) in words.iter().enumerate() {
            let names = [&[], &[], &[], MONTHS, DAYS][index];
            for part in word.split(',') {
                fields[index] |= bits(part, RANGES[index], names)?;
            }
        }
        // 7 is Sunday too.
        fields[4] |= fields[4] >> 7 & 1;
        Some(Schedule { fields, any_day: [words[2].starts_with('*'), words[4].starts_with('*')] })
    }

    /// Whether the minute of this time is in the schedule.
    pub fn matches(&self, time: DateTime) -> bool {
        let has = |field: usize, value: i8| self.fields[field] >> value & 1 == 1;
        let (month_day, week_day) = (has(2, time.day()), has(4, time.weekday().to_sunday_zero_offset()));
        let day = match self.any_day {
            [false, false] => month_day || week_day,
            _ => month_day && week_day,
        };
        has(0, time.minute()) && has(1, time.hour()) && has(3, time.month()) && day
    }
}

/// `*`, `5`, `1-5`, `mon-fri`, each with `/step`.
fn bits(part: &str, (low, high): (u32, u32), names: &[&str]) -> Option<u64> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
        None => (part, None),
    };
    let value = |text: &str| {
        let named = names.iter().position(|name| !name.is_empty() && text.eq_ignore_ascii_case(name));
        named.map(|at| at as u32).or_else(|| text.parse().ok()).filter(|value| (low..=high).contains(value))
    };
    let (from, to) = match range.split_once('-') {
        _ if range == "*" || range == "?" => (low, high),
        Some((from, to)) => (value(from)?, value(to)?),
        None => (value(range)?, if step.is_some() { high } else { value(range)? }),
    };
    Some((from..=to).step_by(step.unwrap_or(1) as usize).fold(0, |bits, value| bits | 1 << value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn schedules_match_their_minutes() {
        let at = |hour, minute| date(2026, 11, 21).at(hour, minute, 0, 0); // a Saturday
        for (text, hour, minute, expected) in [
            ("* * * * *", 5, 22, true),
            ("*/15 * * * *", 5, 30, true),
            ("*/15 * * * *", 5, 31, false),
            ("0 3 * * *", 3, 0, true),
            ("0 3 * * mon-fri", 3, 0, false),
            ("0 3 21 * mon", 3, 0, true),
            ("0 3 * nov 6,7", 3, 0, true),
            ("@hourly", 7, 0, true),
        ] {
            assert_eq!(Schedule::parse(text).unwrap().matches(at(hour, minute)), expected, "{text}");
        }
        for wrong in ["", "* * * *", "60 * * * *", "*/0 * * * *", "@every 1h", "x * * * *"] {
            assert_eq!(Schedule::parse(wrong), None, "{wrong}");
        }
    }
}
