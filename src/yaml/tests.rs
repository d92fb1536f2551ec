//! The tree, its places and its bounds.

use super::{Complaint, MAX_BYTES, MAX_DEPTH, Node, Value, parse};

/// Parses what must be sound.
fn tree(text: &str) -> Node {
    let parsed = parse(text);
    assert_eq!(parsed.complaints, [], "{text}");
    parsed.root.unwrap()
}

/// `line:column: message` of every complaint.
fn complaints(text: &str) -> Vec<String> {
    let told = |c: &Complaint| {
        let note = c
            .note
            .map(|(at, why)| format!(" ({}:{}: {why})", at.line, at.column))
            .unwrap_or_default();
        format!("{}:{}: {}{note}", c.at.line, c.at.column, c.message)
    };
    parse(text).complaints.iter().map(told).collect()
}

#[test]
fn every_node_knows_its_place() {
    let root = tree("a: 1\nb:\n  - x\n  - {c: \"y\"}\n");
    let list = root.get("b").unwrap();
    assert_eq!((list.at.line, list.at.column), (3, 3));
    let inner = list.items()[1].get("c").unwrap();
    assert_eq!((inner.at.line, inner.at.column), (4, 9));
    assert_eq!(root.entries()[1].key_at.line, 2);
}

#[test]
fn scalars_keep_their_text_and_how_they_were_quoted() {
    let root = tree("[8081, 'true', true, off, ~, null, '', \"a\\tb\"]");
    let texts: Vec<_> = root.items().iter().map(Node::text).collect();
    assert_eq!(
        texts,
        [
            Some("8081"),
            Some("true"),
            Some("true"),
            Some("off"),
            None,
            None,
            Some(""),
            Some("a\tb")
        ]
    );
    let booleans: Vec<_> = root.items().iter().map(Node::boolean).collect();
    assert_eq!(booleans[1..4], [None, Some(true), None]);
}

#[test]
fn nothing_is_a_document_too() {
    for text in ["", "# only a comment\n", "---\n", "~"] {
        assert_eq!(tree(text).value, Value::Null, "{text:?}");
    }
}

#[test]
fn every_duplicate_key_is_told_with_both_places() {
    assert_eq!(
        complaints("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n"),
        [
            "2:11: the key `c` is given twice (2:5: it stands here first)",
            "3:1: the key `a` is given twice (1:1: it stands here first)",
            "4:1: the key `a` is given twice (1:1: it stands here first)",
        ]
    );
    let first = parse("a: 1\na: 2\n").root.unwrap();
    assert_eq!(first.get("a").and_then(Node::text), Some("1"));
}

#[test]
fn what_is_no_name_is_no_key() {
    assert_eq!(
        complaints("? [1]\n: 2\n? {a: 1}\n: 3\n~: 4\nb: 5\n"),
        [
            "1:3: a key is a name, not a list",
            "3:3: a key is a name, not a mapping",
            "5:1: a key is a name, not nothing",
        ]
    );
}

#[test]
fn aliases_repeat_what_they_name() {
    let root = tree("base: &b {x: [1]}\ncopy: *b\n");
    assert_eq!(root.get("base"), root.get("copy"));
}

#[test]
fn aliases_cannot_be_a_bomb() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..20 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        text += &format!("a{n}: &a{n} [{items}]\n");
    }
    let parsed = parse(&text);
    assert!(parsed.root.is_none());
    assert_eq!(
        parsed.complaints[0].message,
        "the aliases expand to too much"
    );
    assert_eq!(
        complaints("a: &a [*a]\n"),
        ["1:8: the alias is part of what it repeats"]
    );
}

#[test]
fn depth_is_bounded_with_and_without_aliases() {
    let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert_eq!(complaints(&nested(MAX_DEPTH)), Vec::<String>::new());
    assert_eq!(
        complaints(&nested(MAX_DEPTH + 1)),
        ["1:65: nested deeper than 64 levels"]
    );
    let half = nested(MAX_DEPTH / 2);
    let text = format!("- &a {half}\n- {}*a{}\n", "[".repeat(40), "]".repeat(40));
    assert_eq!(complaints(&text), ["2:43: nested deeper than 64 levels"]);
    assert!(parse(&nested(100_000)).root.is_none());
    assert!(parse(&"- ".repeat(100_000)).root.is_none());
}

#[test]
fn size_is_bounded() {
    let parsed = parse(&"x".repeat(MAX_BYTES + 1));
    assert!(parsed.root.is_none());
}

#[test]
fn what_is_not_yaml_is_told_with_its_place() {
    for (text, expected) in [
        ("a: [1\n", "1:4: not YAML: unclosed bracket"),
        ("a: b: c\n", "1:5: not YAML: "),
        ("a: *nope\n", "1:4: not YAML: "),
        ("a: 1\n---\nb: 2\n", "2:1: a second document begins here"),
        ("a: !!int 1\n", "1:10: the tag `!!int` means nothing here"),
    ] {
        let told = complaints(text);
        assert_eq!(told.len(), 1, "{text}");
        assert!(told[0].starts_with(expected), "{text}: {told:?}");
    }
}
