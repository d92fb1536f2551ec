//! The writing side: wire bytes go to places that were made ready, and lengths into places that
//! were kept free.

use super::Doubt;
use super::cursor::Cursor;
use crate::schema::plan::Tag;
use crate::transcode::MAX_DEPTH;
use crate::transcode::proto::varint_len;

/// So many bytes are made ready at a time: not too many for the nearest cache.
const ROOM: usize = 4096;
/// What is copied at once of short strings.
const COPY: usize = 32;
/// The output is made ready so much longer than it is expected to become.
pub(in super::super) const SLACK: usize = COPY;

/// The output: what is written, and behind it zeros.
pub(super) struct Out {
    bytes: Vec<u8>,
    start: usize,
    pub(super) at: usize,
    /// It may grow up to here.
    end: usize,
    /// How wide the last length at each depth was: the next one is probably as wide.
    widths: [u8; MAX_DEPTH + 1],
}

/// The place of a length.
#[derive(Clone, Copy)]
pub(super) struct Length {
    start: usize,
    depth: usize,
    width: usize,
}

impl Out {
    /// Appends to `bytes`, at most `limit` bytes; `expected` says how many they may be.
    pub(super) fn new(mut bytes: Vec<u8>, limit: usize, expected: usize) -> Self {
        let start = bytes.len();
        bytes.resize(start + expected.min(ROOM) + SLACK, 0);
        Self {
            bytes,
            start,
            at: start,
            end: start.saturating_add(limit),
            widths: [1; MAX_DEPTH + 1],
        }
    }

    /// Gives the output back: whole, or as it was.
    pub(super) fn finish(mut self, keep: bool) -> Vec<u8> {
        let len = if keep { self.at } else { self.start };
        self.bytes.truncate(len);
        self.bytes
    }

    /// Whether it is longer than it may be.
    pub(super) fn is_too_long(&self) -> bool {
        self.at > self.end
    }

    /// The next `N` bytes; whoever writes them says with `skip` how many count.
    #[inline(always)]
    #[allow(
        unsafe_code,
        reason = "one comparison instead of three, at every write: a sixth of the pass's instructions together with that of the cursor"
    )]
    fn place<const N: usize>(&mut self) -> Result<&mut [u8; N], Doubt> {
        if self.bytes.len() < self.at.saturating_add(N) {
            self.grow(N)?;
        }
        // SAFETY: `self.at + N <= self.bytes.len()`: it was so, or `grow` has made it so, which
        // makes the vector at least that long or fails. So all `N` bytes are the vector's and
        // initialised, bytes need no alignment, and the borrow of `self` keeps others away.
        Ok(unsafe { &mut *self.bytes.as_mut_ptr().add(self.at).cast::<[u8; N]>() })
    }

    #[cold]
    fn grow(&mut self, more: usize) -> Result<(), Doubt> {
        if self.is_too_long() {
            return Err(Doubt);
        }
        let ready = (self.at - self.start).min(ROOM).max(more).max(COPY);
        self.bytes.resize(self.at + ready, 0);
        Ok(())
    }

    /// Appends the first `len` of some bytes.
    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N], len: usize) -> Result<(), Doubt> {
        *self.place()? = bytes;
        self.at += len;
        Ok(())
    }

    #[inline(always)]
    pub(super) fn put_byte(&mut self, byte: u8) -> Result<(), Doubt> {
        self.put([byte], 1)
    }

    /// Appends a tag.
    #[inline(always)]
    pub(super) fn put_tag(&mut self, tag: Tag) -> Result<(), Doubt> {
        self.put(tag.bytes.to_le_bytes(), usize::from(tag.len))
    }

    /// Appends a tag and a varint.
    #[inline(always)]
    pub(super) fn put_varint(&mut self, tag: Tag, mut value: u64) -> Result<(), Doubt> {
        let place: &mut [u8; 18] = self.place()?;
        let mut len = usize::from(tag.len & 7);
        if let Some(first) = place.first_chunk_mut() {
            *first = tag.bytes.to_le_bytes();
        }
        for byte in place.iter_mut().skip(len) {
            len += 1;
            if value < 0x80 {
                *byte = value as u8;
                break;
            }
            *byte = value as u8 | 0x80;
            value >>= 7;
        }
        self.at += len;
        Ok(())
    }

    /// Appends a tag and the first `len` bytes of a number.
    #[inline(always)]
    pub(super) fn put_fixed(&mut self, tag: Tag, value: u64, len: usize) -> Result<(), Doubt> {
        let shift = 8 * u32::from(tag.len & 7);
        let bytes = u128::from(value) << shift | u128::from(tag.bytes);
        self.put(bytes.to_le_bytes(), usize::from(tag.len) + len)
    }

    /// Appends bytes of whatever length.
    #[inline(never)]
    pub(super) fn put_slice(&mut self, bytes: &[u8]) -> Result<(), Doubt> {
        if self.bytes.len() < self.at.saturating_add(bytes.len()) {
            self.grow(bytes.len())?;
        }
        let place = self.bytes.get_mut(self.at..self.at + bytes.len());
        place.ok_or(Doubt)?.copy_from_slice(bytes);
        self.at += bytes.len();
        Ok(())
    }

    /// Appends `len` bytes of the text.
    #[inline(always)]
    pub(super) fn copy(
        &mut self,
        cursor: &Cursor<'_>,
        from: usize,
        len: usize,
    ) -> Result<(), Doubt> {
        if len <= COPY
            && let Some(chunk) = cursor.chunk::<COPY>(from)
        {
            return self.put(chunk, len);
        }
        self.put_slice(cursor.json.get(from..from + len).ok_or(Doubt)?)
    }

    /// Keeps a place for the length of what comes, as wide as the last one at this depth.
    #[inline(always)]
    pub(super) fn open(&mut self, depth: usize) -> Result<Length, Doubt> {
        let width = self.widths.get(depth).copied().unwrap_or(1);
        let mut length = self.open_width(usize::from(width))?;
        length.depth = depth;
        Ok(length)
    }

    /// The same, with a width that is known.
    #[inline(always)]
    pub(super) fn open_width(&mut self, width: usize) -> Result<Length, Doubt> {
        let start = self.at;
        self.put([0; 8], width)?;
        Ok(Length {
            start,
            depth: usize::MAX,
            width,
        })
    }

    /// Whether nothing was written since.
    #[inline(always)]
    pub(super) fn is_empty_since(&self, length: Length) -> bool {
        self.at == length.start + length.width
    }

    /// Writes the length of what came since.
    #[inline(always)]
    pub(super) fn close(&mut self, length: Length) -> Result<(), Doubt> {
        let len = self.at - (length.start + length.width);
        if length.width == 1
            && len < 0x80
            && let Some(place) = self.bytes.get_mut(length.start)
        {
            *place = len as u8;
            return Ok(());
        }
        self.close_wide(length, len)
    }

    #[inline(never)]
    fn close_wide(&mut self, length: Length, len: usize) -> Result<(), Doubt> {
        let width = varint_len(len as u64);
        let (from, to) = (length.start + length.width, length.start + width);
        if width != length.width {
            if self.bytes.len() < to + len {
                self.grow(width)?;
            }
            self.bytes.copy_within(from..from + len, to);
            self.at = to + len;
            if let Some(place) = self.widths.get_mut(length.depth) {
                *place = width as u8;
            }
        }
        let mut value = len;
        let place = self.bytes.get_mut(length.start..to).ok_or(Doubt)?;
        for byte in place.iter_mut() {
            *byte = value as u8 | 0x80;
            value >>= 7;
        }
        if let Some(last) = place.last_mut() {
            *last &= 0x7F;
        }
        Ok(())
    }

    /// What was written since `start`.
    #[inline(always)]
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// Forgets what was written since `start`.
    #[inline]
    pub(super) fn truncate(&mut self, start: usize) {
        self.at = start;
    }

    /// The written bytes from `start`, to be written over.
    pub(super) fn written_mut(&mut self, start: usize) -> &mut [u8] {
        self.bytes.get_mut(start..self.at).unwrap_or_default()
    }
}
