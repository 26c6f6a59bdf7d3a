//! Log sequence numbers (PostgreSQL 17 docs, 8.20).
use serde::{Deserialize, Serialize};

/// A byte position in the WAL; text form `16/B374D848`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

impl Lsn {
    /// Bytes from `earlier` to this position; negative when this one lies before it. Saturates at i64's ends.
    pub fn since(self, earlier: Lsn) -> i64 {
        i64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(if self > earlier {
            i64::MAX
        } else {
            i64::MIN
        })
    }
    /// Bytes `other` still has to go to reach this position; 0 when it is there or past it.
    pub fn ahead_of(self, other: Lsn) -> u64 {
        self.0.saturating_sub(other.0)
    }
    /// `bytes` further on; None past the end of the number space.
    pub fn checked_add(self, bytes: u64) -> Option<Lsn> {
        self.0.checked_add(bytes).map(Lsn)
    }
}

impl From<Lsn> for String {
    fn from(l: Lsn) -> String {
        l.to_string()
    }
}
impl TryFrom<String> for Lsn {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}
impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 as u32)
    }
}
impl std::str::FromStr for Lsn {
    type Err = String;
    /// Both forms of the text: `16/B374D848` and, from PostgreSQL 19 on, padded `16/0374D848`.
    fn from_str(s: &str) -> Result<Self, String> {
        let half = |part: &str| {
            let hexadecimal = (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
            if hexadecimal { u64::from_str_radix(part, 16).ok() } else { None }
        };
        s.split_once('/')
            .and_then(|(high, low)| Some(Lsn(half(high)? << 32 | half(low)?)))
            .ok_or_else(|| format!("`{s}` is not an LSN, which looks like 16/B374D848"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_goes_there_and_back(n: u64) {
            prop_assert_eq!(Lsn(n).to_string().parse(), Ok(Lsn(n)));
            let json = serde_json::to_string(&Lsn(n)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Lsn>(&json).unwrap(), Lsn(n));
        }
        #[test]
        fn differences(a: u64, b in 0..1u64 << 62) {
            prop_assume!(a.checked_add(b).is_some());
            let later = Lsn(a).checked_add(b).unwrap();
            prop_assert_eq!(later.since(Lsn(a)), b as i64);
            prop_assert_eq!(Lsn(a).since(later), -(b as i64));
            prop_assert_eq!(later.ahead_of(Lsn(a)), b);
            prop_assert!(b == 0 || Lsn(a).ahead_of(later) == 0);
        }
        #[test]
        fn any_text_is_an_lsn_or_refused(s in "\\PC*") {
            if let Ok(lsn) = s.parse::<Lsn>() {
                prop_assert!(s.contains('/') && s.len() <= 17, "{s} {lsn}");
            }
        }
    }

    #[test]
    fn known_values() {
        assert_eq!("16/B374D848".parse(), Ok(Lsn(0x16_B374_D848)));
        assert_eq!("0/0".parse(), Ok(Lsn(0)));
        for wrong in ["", "/", "16", "16/", "/1", "1/123456789", "+1/1", "1/ 1", "0x1/1", "1/1/1"] {
            assert!(wrong.parse::<Lsn>().is_err(), "{wrong}");
        }
    }
}
