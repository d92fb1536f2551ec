//! The messages that the codec is measured with, as JSON: small and large, tidy and untidy, and
//! one for each thing that costs something of its own.
//!
//! All are made from numbers, the same in every run, and no two items of a list are alike. Nowhere is
//! a null in a `Value`, which pbjson loses.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::string_slice,
    reason = "small numbers, and JSON that is cut at its punctuation"
)]

use std::fmt::Write as _;

/// One message of the corpus.
pub(crate) struct Sample {
    /// What it is about.
    pub(crate) title: &'static str,
    /// Its type in `codec.proto` or `any.proto`, without the package.
    pub(crate) message: &'static str,
    /// Its JSON.
    pub(crate) json: String,
}

/// All of them.
pub(crate) fn samples() -> Vec<Sample> {
    let sample = |title, message, json| Sample {
        title,
        message,
        json,
    };
    let items = list("items", 1_000, item);
    vec![
        sample("small", "Book", BOOK.to_owned()),
        sample("medium", "Item", item(7)),
        sample("1,000 items", "ItemList", items.clone()),
        sample("indented", "ItemList", indent(&items)),
        sample(
            "shuffled keys",
            "ItemList",
            shuffle(&items, &mut Random::new(1)),
        ),
        sample("long strings", "Texts", texts()),
        sample("packed lists", "Packed", packed()),
        sample("deep nesting", "Forest", list("trees", 50, tree)),
        sample("Struct and Value", "Free", free()),
        sample("maps", "Maps", maps()),
        sample("well-known types", "KnownList", list("items", 500, known)),
        sample("Any and FieldMask", "EventList", list("events", 500, event)),
    ]
}

const BOOK: &str = r#"{"name":"shelves/7/books/1984","title":"Nineteen Eighty-Four","author":"George Orwell","pages":328,"sold":"30000000","state":"STATE_PUBLISHED"}"#;

/// Numbers that look random and are always the same.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn joined(count: u64, one: impl FnMut(u64) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().join(",")
}

fn list(name: &str, count: u64, one: impl FnMut(u64) -> String) -> String {
    format!(r#"{{"{name}":[{}]}}"#, joined(count, one))
}

fn part(random: &mut Random) -> String {
    format!(
        r#"{{"partNumber":"PN-{:08x}","description":"A part for machine {} of line {}","weightGrams":{}.{},"quantity":{}}}"#,
        random.below(0xFFFF_FFFF),
        random.below(10_000),
        random.below(100),
        random.below(5_000),
        random.below(1_000),
        random.below(100) + 1,
    )
}

/// An item of about 1.6 KB.
fn item(number: u64) -> String {
    let mut random = Random::new(number);
    let parts: Vec<String> = (0..5).map(|_| part(&mut random)).collect();
    let mut json = String::new();
    // Writing to a string does not fail.
    let _infallible = write!(
        json,
        concat!(
            r#"{{"itemId":"items/{number:06}","displayName":"Item {a:x} \"{b}\"","longDescription":"#,
            r#""The item {a:x} is made of {b} pieces and grüßt {c:x}; it was first described in "#,
            r#"volume {b} of the catalogue, where its dimensions, its makers and all its known "#,
            r#"uses are told at length.\nSee also {c:x}.","state":"{state}","priceMicros":"{a}","#,
            r#""rating":{r}.{b},"discount":0.25,"available":true,"#,
            r#""createTime":"20{y:02}-03-0{d}T1{d}:2{d}:3{d}.{b:03}Z","#,
            r#""updateTime":"20{y:02}-11-1{d}T0{d}:5{d}:1{d}Z","leadTime":"{b}.500s","#,
            r#""tags":["red","tag-{b}","long-lived","{c:x}"],"scores":[{b},{d},-{y},7,0,{e}],"#,
            r#""measures":[{d}.5,{b}.125,{y}.75,-0.{b}],"labels":{{"zone":"eu-{d}","team":"t{b}","#,
            r#""cost-centre":"{e}"}},"parts":[{parts}],"mainPart":{main},"#,
            r#""checksum":"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=","stock":"{e}","#,
            r#""nickname":"nick{b}","attributes":{{"colour":"blue","depth":{b},"deep":{{"list":"#,
            r#"[1,"two",{d},true]}}}},"serial":"{c}","offset":-{b},"madeBy":"maker {d}"}}"#,
        ),
        number = number,
        a = random.below(1_000_000_007),
        b = random.below(900) + 100,
        c = random.next(),
        d = random.below(9) + 1,
        e = random.below(100_000),
        y = random.below(20) + 10,
        r = random.below(5),
        state = state(random.below(3) + 1),
        main = parts.first().map_or("{}", String::as_str),
        parts = parts.join(","),
    );
    json
}

fn state(number: u64) -> &'static str {
    match number {
        1 => "STATE_DRAFT",
        2 => "STATE_PUBLISHED",
        3 => "STATE_WITHDRAWN",
        _ => "STATE_UNSPECIFIED",
    }
}

fn texts() -> String {
    let mut random = Random::new(2);
    let texts = joined(60, |number| {
        let words = (0..random.below(800) + 40).map(|_| match random.below(40) {
            0 if number % 3 == 0 => String::from("grün\\n"),
            length => "abcdefghijklmnopqrstuvwxyz"
                .chars()
                .cycle()
                .skip(length as usize % 26)
                .take(length as usize % 9 + 1)
                .collect(),
        });
        format!(r#""{}""#, words.collect::<Vec<_>>().join(" "))
    });
    let blobs = joined(20, |number| {
        format!(
            r#""{}""#,
            "q83vEjRWeJCr/e8S".repeat(20 + number as usize * 7)
        )
    });
    format!(r#"{{"texts":[{texts}],"blobs":[{blobs}]}}"#)
}

fn packed() -> String {
    let mut random = Random::new(3);
    let mut lists = Vec::new();
    let mut add = |name: &str, one: &mut dyn FnMut(&mut Random) -> String| {
        let values = joined(2_000, |_| one(&mut random));
        lists.push(format!(r#""{name}":[{values}]"#));
    };
    add("small", &mut |random| {
        (random.below(3_000) as i64 - 1_000).to_string()
    });
    add("large", &mut |random| {
        format!(r#""{}""#, random.next() >> 1)
    });
    add("deltas", &mut |random| {
        (random.below(200) as i64 - 100).to_string()
    });
    add("hashes", &mut |random| format!(r#""{}""#, random.next()));
    add("measures", &mut |random| {
        (random.next() as f64 / 1e15).to_string()
    });
    add("ratios", &mut |random| {
        (random.below(1_000_000) as f32 / 1e6).to_string()
    });
    add("flags", &mut |random| (random.below(2) == 0).to_string());
    add("states", &mut |random| {
        format!(r#""{}""#, state(random.below(4)))
    });
    format!("{{{}}}", lists.join(","))
}

/// As deep as prost reads.
fn tree(number: u64) -> String {
    let levels = (0..90).map(|level| format!(r#"{{"name":"n{number}/{level}","weight":{level}"#));
    let levels: Vec<String> = levels.collect();
    format!(r#"{}{}"#, levels.join(r#","child":"#), "}".repeat(90))
}

fn object(random: &mut Random) -> String {
    format!(
        r#"{{"colour":"blue {}","depth":{},"open":true,"shut":false,"deep":{{"list":[1,"two",{}.5,{{"x":[]}}]}}}}"#,
        random.below(1_000),
        random.below(100_000),
        random.below(100),
    )
}

fn free() -> String {
    let mut random = Random::new(4);
    let objects = joined(300, |_| object(&mut random));
    let values = joined(300, |number| match number % 4 {
        0 => number.to_string(),
        1 => format!(r#""value {number}""#),
        2 => String::from("[true,false,[]]"),
        _ => object(&mut random),
    });
    let list = joined(300, |number| format!("{number}.25"));
    format!(r#"{{"objects":[{objects}],"values":[{values}],"list":[{list}]}}"#)
}

fn maps() -> String {
    let mut random = Random::new(5);
    let labels = joined(1_000, |number| {
        format!(r#""label-{number}":"value {}""#, random.below(10_000))
    });
    let parts = joined(500, |number| {
        format!(r#""{}":{}"#, number as i64 * 7 - 99, part(&mut random))
    });
    let measures = joined(1_000, |number| {
        format!(r#""{}":{}.5"#, number * 3, random.below(1_000))
    });
    format!(
        r#"{{"labels":{{{labels}}},"parts":{{{parts}}},"measures":{{{measures}}},"states":{{"true":"STATE_DRAFT","false":"STATE_PUBLISHED"}}}}"#
    )
}

fn known(number: u64) -> String {
    let mut random = Random::new(number);
    let (a, b, c) = (
        random.below(1_000_000),
        random.below(9) + 1,
        random.next() >> 1,
    );
    format!(
        concat!(
            r#"{{"time":"20{b}4-0{b}-1{b}T0{b}:1{b}:2{b}.{a:06}Z","duration":"{a}.{b}00s","empty":{{}},"#,
            r#""object":{{"a":{a},"b":"{b}"}},"value":{a}.5,"list":[{b},"x",true],"#,
            r#""doubleValue":{a}.25,"floatValue":{b}.5,"int64Value":"{c}","uint64Value":"{c}","#,
            r#""int32Value":{a},"uint32Value":{b},"boolValue":true,"stringValue":"text {c:x}","#,
            r#""bytesValue":"q83vEjRWeJCrze8S"}}"#,
        ),
        a = a,
        b = b,
        c = c,
    )
}

fn event(number: u64) -> String {
    let mut random = Random::new(number);
    let detail = match number % 3 {
        0 => String::from(
            r#"{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}"#,
        ),
        1 => {
            let part = part(&mut random);
            part.replacen('{', r#"{"@type":"type.googleapis.com/bench.Part","#, 1)
        }
        _ => BOOK.replacen('{', r#"{"@type":"type.googleapis.com/bench.Book","#, 1),
    };
    format!(r#"{{"detail":{detail},"changed":"title,author.displayName,pages{number}"}}"#)
}

/// The elements of an object or list, cut at its commas.
fn elements(json: &str) -> Vec<&str> {
    let inner = &json[1..json.len() - 1];
    let (mut depth, mut in_string, mut escaped, mut start) = (0, false, false, 0);
    let mut found = Vec::new();
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                found.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner.is_empty() {
        found.push(&inner[start..]);
    }
    found
}

/// The same JSON with the members of every object in another order.
fn shuffle(json: &str, random: &mut Random) -> String {
    let within = |text: &str, random: &mut Random| match text.as_bytes().first() {
        Some(b'{' | b'[') => shuffle(text, random),
        _ => text.to_owned(),
    };
    let mut parts: Vec<String> = Vec::new();
    for element in elements(json) {
        parts.push(match element.split_once("\":") {
            Some((key, value)) if json.starts_with('{') => {
                format!("{key}\":{}", within(value, random))
            }
            _ => within(element, random),
        });
    }
    if json.starts_with('[') {
        return format!("[{}]", parts.join(","));
    }
    for at in (1..parts.len()).rev() {
        parts.swap(at, random.below(at as u64 + 1) as usize);
    }
    format!("{{{}}}", parts.join(","))
}

/// The same JSON with a line for each member and element.
fn indent(json: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for char in json.chars() {
        let line = |depth: usize| format!("\n{}", "  ".repeat(depth));
        if !in_string && matches!(char, '}' | ']') {
            depth -= 1;
            out += &line(depth);
        }
        out.push(char);
        match char {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            '{' | '[' => {
                depth += 1;
                out += &line(depth);
            }
            ',' => out += &line(depth),
            ':' => out.push(' '),
            _ => {}
        }
    }
    out
}
