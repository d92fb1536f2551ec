//! Flow control (RFC 9113, section 5.2): what may still be sent, and what was allowed.

/// What the far side lets us send. It can be below zero when the far side made it smaller.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendWindow(i64);

/// What we let the far side send, and give back past half.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveWindow {
    size: u32,
    /// What it may still send.
    left: u32,
    /// What was consumed and not given back yet.
    consumed: u32,
}

/// A window that became larger than there are, or was overstepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// What both sides begin with.
pub(super) const INITIAL: u32 = 65_535;

/// The largest window there is.
pub(super) const LARGEST: u32 = (1 << 31) - 1;

impl SendWindow {
    pub(super) fn new(size: u32) -> Self {
        Self(i64::from(size))
    }

    /// How many bytes may be sent.
    pub(super) fn room(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Bytes were sent, at most as many as there was room.
    pub(super) fn take(&mut self, bytes: usize) {
        self.0 -= i64::try_from(bytes).unwrap_or(i64::MAX >> 1);
    }

    /// The far side gives more, or less.
    pub(super) fn change(&mut self, by: i64) -> Result<(), Overflow> {
        self.0 += by;
        if self.0 > i64::from(LARGEST) {
            Err(Overflow)
        } else {
            Ok(())
        }
    }
}

impl ReceiveWindow {
    /// A window of `size`, of which the far side may not know yet.
    pub(super) fn new(size: u32) -> Self {
        Self {
            size,
            left: size.max(INITIAL),
            consumed: 0,
        }
    }

    /// Bytes came.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Overflow> {
        let left = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or(Overflow)?;
        Ok(())
    }

    /// Bytes that came are consumed. What to give back now, if it is worth a frame.
    pub(super) fn consume(&mut self, bytes: usize) -> Option<u32> {
        self.consumed = self
            .consumed
            .saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.consumed == 0 || self.consumed < self.size / 2 {
            return None;
        }
        let back = std::mem::take(&mut self.consumed);
        self.left = self.left.saturating_add(back);
        Some(back)
    }
}

#[cfg(test)]
impl ReceiveWindow {
    pub(super) fn left(self) -> usize {
        self.left as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent() {
        let mut window = SendWindow::new(10);
        window.take(10);
        assert_eq!(window.room(), 0);
        window.change(-5).unwrap();
        assert_eq!(window.room(), 0);
        window.change(7).unwrap();
        assert_eq!(window.room(), 2);
        window.change(i64::from(LARGEST) - 2).unwrap();
        assert_eq!(window.change(1), Err(Overflow));
    }

    #[test]
    fn what_may_come() {
        let mut window = ReceiveWindow::new(100_000);
        assert_eq!(window.take(60_000), Ok(()));
        assert_eq!(window.take(40_001), Err(Overflow));
        assert_eq!(window.consume(49_999), None);
        assert_eq!(window.consume(1), Some(50_000));
        assert_eq!(window.take(90_000), Ok(()));
        assert_eq!(window.take(1), Err(Overflow));
        // Before the far side knows of a small window it may send into the usual one.
        let mut window = ReceiveWindow::new(1);
        assert_eq!(window.take(65_535), Ok(()));
        assert_eq!(window.consume(0), None);
        assert_eq!(window.consume(1), Some(1));
    }
}
