//! What may stand in `Host` and `:authority`.

/// Whether the value can be a host and a port, or nothing at all (RFC 9112, 3.2). Whoever builds
/// a URL or a log line of it must not find a path, a user or a second host in it.
pub(super) fn is_sound(host: &[u8]) -> bool {
    host.iter().all(|byte| {
        matches!(byte,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
            | b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'[' | b']'
            | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for sound in ["", "a", "A.b:80", "127.0.0.1:1", "[::1]:8080", "x_y%7e"] {
            assert!(is_sound(sound.as_bytes()), "{sound}");
        }
        for unsound in [
            "a b", "a/b", "u@a", "u:p@a:1", "a?b", "a#b", "a\\b", "<a>", "\u{e9}", "a\tb",
        ] {
            assert!(!is_sound(unsound.as_bytes()), "{unsound}");
        }
    }
}
