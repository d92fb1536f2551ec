//! What the short form holds Sidegate to: ratios of CPU time within the run, with so much room that
//! a busy machine does not break them. That all answers agree and no call fails is checked before.

use crate::Result;
use crate::measure::Loaded;
use crate::peer::Kind;

/// A row, a gateway, and the most that Sidegate may take of the other's CPU time there.
const PROMISES: &[(&str, Kind, f64)] = &[
    ("GET, 156 B", Kind::Floor, 2.5),
    ("GET, 156 B", Kind::Envoy, 0.65),
    ("GET, 156 B", Kind::GrpcGateway, 0.7),
    ("GET, 156 B", Kind::Vanguard, 0.4),
    ("GET, 2 KB", Kind::Envoy, 0.5),
    ("POST, 700 B", Kind::Envoy, 0.6),
    ("list, 69 KB", Kind::Envoy, 0.25),
    ("list, 69 KB", Kind::GrpcGateway, 0.25),
    ("stream of 1,000 messages, per message", Kind::Envoy, 0.33),
    ("gRPC unary, 156 B", Kind::Envoy, 0.85),
    ("gRPC unary, 156 B", Kind::Nginx, 0.9),
    ("gRPC-Web unary, 156 B", Kind::Envoy, 0.65),
    ("gRPC-Web unary, 156 B", Kind::Vanguard, 0.4),
    ("Connect unary in protobuf, 156 B", Kind::Envoy, 0.65),
    ("Connect unary in JSON, 156 B", Kind::Vanguard, 0.4),
    (
        "Connect stream of 1,000 in JSON, per message",
        Kind::Vanguard,
        0.3,
    ),
];

/// Checks all that can be checked with what was measured, and says so.
pub fn check(loaded: &Loaded) -> Result<()> {
    let mut broken = Vec::new();
    let mut passed = 0;
    for (title, kind, most) in PROMISES {
        let both = (loaded.cpu(title, Kind::Sidegate), loaded.cpu(title, *kind));
        let (Some(ours), Some(theirs)) = both else {
            continue;
        };
        let ratio = ours / theirs;
        let line = format!("{title}: {ratio:.2} of {}, at most {most}", kind.name());
        println!("== {line}");
        if ratio <= *most {
            passed += 1;
        } else {
            broken.push(line);
        }
    }
    println!("peers: {passed} passed");
    if broken.is_empty() {
        Ok(())
    } else {
        Err(format!("too slow: {}", broken.join("; ")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ROWS;

    #[test]
    fn promises_name_rows_that_both_can_do() {
        for (title, kind, _) in PROMISES {
            let row = ROWS.iter().find(|row| row.title == *title);
            let row = row.unwrap_or_else(|| panic!("no row is called {title}"));
            for kind in [*kind, Kind::Sidegate] {
                assert_eq!(kind.cannot(row.ability), None, "{title}, {}", kind.name());
            }
        }
    }
}
