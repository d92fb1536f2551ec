//! Cases as data: `@` what they are about, `>` an input, `=` what comes of it (alone: the same),
//! `!` what is complained about; `#` comments.

/// Runs every case of a table through `run`, which is given what the case is about and its input,
/// and tells all that come out differently.
pub(super) fn check(table: &str, run: impl Fn(&str, &str) -> String) {
    let (mut about, mut input) = ("", None);
    let mut wrong = String::new();
    for line in table.lines() {
        let rest = line.get(1..).unwrap_or_default();
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match line.bytes().next() {
            None | Some(b'#') => {}
            Some(b'@') => about = rest,
            Some(b'>') => assert_eq!(input.replace(rest), None, "no outcome before: {line}"),
            Some(mark @ (b'=' | b'!')) => {
                let input = input
                    .take()
                    .unwrap_or_else(|| panic!("no input before: {line}"));
                let expected = if mark == b'=' && rest.is_empty() {
                    input
                } else {
                    rest
                };
                let found = run(about, input);
                if found != expected {
                    wrong += &format!("@ {about}\n> {input}\n  {expected}\nis {found}\n");
                }
            }
            Some(_) => panic!("not a line of a table: {line}"),
        }
    }
    assert_eq!(input, None, "the last input has no outcome");
    assert!(wrong.is_empty(), "\n{wrong}");
}
