//! Runs of bytes: what may stand in text and in tokens (RFC 9110, 5.6.2).

/// How many bytes from the beginning are neither control characters nor DEL; eight at a time.
pub(super) fn text_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let mut run = 0;
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let word = u64::from_le_bytes(*eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let del = word ^ (ONES * 0x7f);
        let del = del.wrapping_sub(ONES) & !del;
        // Above the first hit a borrow may make more, but the first one is right.
        let hits = (control | del) & HIGHS;
        if hits != 0 {
            return run + (hits.trailing_zeros() / 8) as usize;
        }
        run += eight.len();
    }
    run + rest
        .iter()
        .take_while(|byte| **byte >= b' ' && **byte != 0x7f)
        .count()
}

/// How many bytes from the beginning may stand in a token.
pub(super) fn token_run(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| TOKEN.get(usize::from(**byte)).copied().unwrap_or_default())
        .count()
}

/// Whether a byte may stand in a token.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::indexing_slicing,
            reason = "the index is below 256"
        )]
        {
            table[byte] = is_token(byte as u8);
        }
        byte += 1;
    }
    table
};

pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
