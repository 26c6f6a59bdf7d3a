//! WAL segment file names: timeline, then the segment's number in two parts (PostgreSQL 17 docs, 28.6;
//! access/xlog_internal.h, XLogFileName).
use super::Lsn;

/// One segment file. `segment_size` is `wal_segment_size` in bytes: a power of two from 1 MiB to 1 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    pub timeline: u32,
    /// Its position among the segments of the number space: LSN / segment size.
    pub number: u64,
}

impl Segment {
    /// The segment that holds the byte at `lsn`. On a boundary that is the segment that begins there, as
    /// PostgreSQL 17's pg_walfile_name gives it; older versions name the one before.
    pub fn at(timeline: u32, lsn: Lsn, segment_size: u64) -> Segment {
        Segment { timeline, number: lsn.0 / segment_size }
    }
    /// The file's name, 24 hexadecimal digits.
    pub fn name(self, segment_size: u64) -> String {
        let per_id = (1u64 << 32) / segment_size;
        format!("{:08X}{:08X}{:08X}", self.timeline, self.number / per_id, self.number % per_id)
    }
    /// From a file's name; None for anything else (`.partial`, `.history`, `.backup`), and for a name that this segment size cannot have made.
    pub fn parse(name: &str, segment_size: u64) -> Option<Segment> {
        if name.len() != 24 || !name.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)) {
            return None;
        }
        let part = |at: usize| u64::from_str_radix(&name[at..at + 8], 16).ok();
        let (timeline, id, rest) = (part(0)?, part(8)?, part(16)?);
        let per_id = (1u64 << 32) / segment_size;
        if rest >= per_id {
            return None;
        }
        Some(Segment { timeline: timeline as u32, number: id * per_id + rest })
    }
    /// Where it begins.
    pub fn start(self, segment_size: u64) -> Lsn {
        Lsn(self.number * segment_size)
    }
    /// The next one of the same timeline.
    pub fn next(self) -> Segment {
        Segment { number: self.number + 1, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_go_there_and_back(timeline in 1u32.., lsn: u64, exponent in 20u32..=30) {
            let size = 1u64 << exponent;
            let segment = Segment::at(timeline, Lsn(lsn), size);
            let name = segment.name(size);
            prop_assert_eq!(Segment::parse(&name, size), Some(segment));
            prop_assert!(segment.start(size) <= Lsn(lsn) && lsn - segment.start(size).0 < size);
            prop_assert!(segment.name(size) < segment.next().name(size) || segment.number == u64::MAX / size);
        }
    }

    #[test]
    fn known_names() {
        let mb16 = 16 << 20;
        // SELECT pg_walfile_name('0/2000028') on timeline 1 of a 16 MiB cluster.
        assert_eq!(Segment::at(1, Lsn(0x0200_0028), mb16).name(mb16), "000000010000000000000002");
        assert_eq!(Segment::at(0x1A, Lsn(0x1_0000_0000), mb16).name(mb16), "0000001A0000000100000000");
        assert_eq!(Segment::at(1, Lsn(0xFF_FFFF_FFFF), mb16).name(mb16), "00000001000000FF000000FF");
        for wrong in [
            "000000010000000000000002.partial",
            "00000002.history",
            "00000001000000000000000g",
            "000000010000000000000100",
        ] {
            assert_eq!(Segment::parse(wrong, mb16), None, "{wrong}");
        }
    }
}
