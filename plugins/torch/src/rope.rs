//! Bytes in pieces, read like a file.

use std::io::{self, Read, Seek, SeekFrom};

use eigenscope_plugin::Bytes;

/// Pieces that follow each other.
#[derive(Clone, Debug, Default)]
pub struct Rope {
    /// Each with the position of its first byte; none is empty.
    pieces: Vec<(u64, Bytes)>,
    length: u64,
    at: u64,
}

impl Rope {
    /// Adds a piece at the end.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            let start = self.length;
            self.length += piece.len() as u64;
            self.pieces.push((start, piece));
        }
    }

    /// Bytes in all.
    pub fn len(&self) -> u64 {
        self.length
    }
}

impl Read for Rope {
    /// Fills `out` unless the end is reached: libtorch asks once.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        let mut piece = self.pieces.partition_point(|(start, _)| *start <= self.at).saturating_sub(1);
        while let Some((start, bytes)) = self.pieces.get(piece) {
            let rest =
                usize::try_from(self.at - start).ok().and_then(|from| bytes.get(from..)).unwrap_or(&[]);
            let count = rest.len().min(out.len() - done);
            out[done..done + count].copy_from_slice(&rest[..count]);
            done += count;
            self.at += count as u64;
            if done == out.len() {
                break;
            }
            piece += 1;
            if self.at >= self.length {
                break;
            }
        }
        Ok(done)
    }
}

impl Seek for Rope {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_reads_as_from_one_piece() {
        let whole: Vec<u8> = (0..40).collect();
        let mut rope = Rope::default();
        for range in [0..7, 7..7, 7..8, 8..40] {
            rope.push(Bytes::copy_from_slice(&whole[range]));
        }
        for start in 0..=45 {
            for length in 0..45 {
                let mut out = vec![0; length];
                rope.seek(SeekFrom::Start(start as u64)).unwrap();
                let count = rope.read(&mut out).unwrap();
                let expected = &whole[start.min(40)..(start + length).min(40)];
                assert_eq!(&out[..count], expected, "{length} bytes at {start}");
            }
        }
        assert_eq!(rope.seek(SeekFrom::End(0)).unwrap(), 40);
        assert!(rope.seek(SeekFrom::End(-41)).is_err());
    }
}
