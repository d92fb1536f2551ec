//! Wire to JSON by table, and its options.

use super::assemble::assemble;
use super::cases::check;
use super::{SCHEMA, message, print, step, to_json};
use crate::schema::policy::{Defaults, Enums, FieldNames, Int64, JsonOptions};
use crate::transcode::wire_to_json::{Response, transcode};

#[test]
fn messages_are_printed_as_the_table_says() {
    check(include_str!("cases/wire.txt"), |name, wire| {
        to_json(name, &assemble(wire)).unwrap_or_else(|error| error)
    });
}

/// J5.
#[test]
fn unknown_fields_are_counted() {
    let options = JsonOptions::default();
    for (name, wire, expected) in [
        ("Scalars", "3:1 99:1 98:{1:1} 97:!{1:1 2:2}", 3),
        ("Scalars", "3:1 3:2 99:1", 1),
        ("Scalars", "3:\"x\"", 1),
        ("Tree", "2:{99:1 3:{99:1}} 99:1", 3),
        (
            "Old",
            "3:99 4:99 5:[99 98] 9:{2:99} 12:{1:!{2:77 3:\"x\"}}",
            6,
        ),
        ("Known", "1:{1:\"a/t.Tree\" 2:{99:1}}", 1),
        ("Known", "1:{1:\"a/t.Tree\" 2:{99:1 `0a`}}", 0),
    ] {
        let (json, written) = print(name, &options, &assemble(wire)).unwrap();
        assert_eq!(written.unknown_fields, expected, "{wire} {json}");
    }
}

/// J3.
#[test]
fn options_change_the_rendering() {
    let default = JsonOptions::default();
    let show = |name: &str, options: JsonOptions, wire: &str| {
        print(name, &options, &assemble(wire)).unwrap().0
    };
    let proto = JsonOptions {
        names: FieldNames::Proto,
        ..default
    };
    assert_eq!(
        show("Scalars", proto, "3:1 19:\"x\""),
        r#"{"f_int32":1,"custom":"x"}"#
    );
    assert_eq!(show("Old", proto, "100:1"), r#"{"[t.extra]":1}"#);
    let number = JsonOptions {
        int64: Int64::Number,
        ..default
    };
    assert_eq!(
        show("Scalars", number, "4:-5 6:18446744073709551615"),
        r#"{"fInt64":-5,"fUint64":18446744073709551615}"#
    );
    assert_eq!(show("Known", number, "11:{1:7}"), r#"{"wInt64":7}"#);
    assert_eq!(show("Maps", number, "3:{1:7}"), r#"{"trees":{"7":{}}}"#);
    let numbers = JsonOptions {
        enums: Enums::Number,
        ..default
    };
    assert_eq!(show("Scalars", numbers, "16:1 18:0"), r#"{"fColor":1}"#);
    assert_eq!(
        show("Known", numbers, "6:{1:0}"),
        r#"{"value":null}"#,
        "null stays null"
    );
    let indent = JsonOptions {
        indent: 2,
        ..default
    };
    assert_eq!(
        show("Tree", indent, "1:\"a,b\" 3:{} 5:1"),
        "{\n  \"name\": \"a,b\",\n  \"children\": [\n    {}\n  ],\n  \"weight\": 1\n}"
    );
}

/// J3: `json.defaults: emit_null`, as protojson's `EmitUnpopulated` has it.
#[test]
fn what_is_not_set_is_null_on_demand() {
    let options = JsonOptions {
        defaults: Defaults::EmitNull,
        ..JsonOptions::default()
    };
    let show = |name: &str, wire: &str| print(name, &options, &assemble(wire)).unwrap().0;
    assert_eq!(
        show("Tree", "5:1"),
        r#"{"weight":1,"name":"","left":null,"children":[],"named":{}}"#
    );
    assert_eq!(show("Choice", ""), r#"{"outside":""}"#);
    assert_eq!(show("Optionals", ""), "{}");
}

/// J3: `json.defaults: emit`.
#[test]
fn defaults_are_printed_on_demand() {
    let options = JsonOptions {
        defaults: Defaults::Emit,
        ..JsonOptions::default()
    };
    let show = |name: &str, wire: &str| print(name, &options, &assemble(wire)).unwrap().0;
    let tree = r#"{"weight":0,"name":"","children":[],"named":{}}"#;
    assert_eq!(show("Tree", "5:0"), tree);
    assert_eq!(
        show("Tree", "2:{} 5:1 5:0"),
        r#"{"left":{"name":"","children":[],"named":{},"weight":0},"weight":0,"name":"","children":[],"named":{}}"#,
    );
    assert_eq!(show("Choice", ""), r#"{"outside":""}"#);
    assert_eq!(show("Optionals", ""), "{}");
    assert_eq!(
        show("Old", ""),
        r#"{"many":[],"packed":[],"ints":[],"item":[],"byName":{}}"#
    );
    assert_eq!(
        show("Scalars", "14:\"x\""),
        concat!(
            r#"{"fString":"x","fDouble":0,"fFloat":0,"fInt32":0,"fInt64":"0","fUint32":0,"#,
            r#""fUint64":"0","fSint32":0,"fSint64":"0","fFixed32":0,"fFixed64":"0","#,
            r#""fSfixed32":0,"fSfixed64":"0","fBool":false,"fBytes":"","#,
            r#""fColor":"COLOR_UNSPECIFIED","fAlias":"FIRST","fNull":null,"my \"name\"":""}"#,
        )
    );
}

/// S9.
#[test]
fn one_field_may_be_the_answer() {
    for (field, wire, expected) in [
        ("book", "2:{2:\"t\"} 1:\"x\"", r#"{"title":"t"}"#),
        (
            "book",
            "2:{2:\"t\"} 2:{1:\"n\"}",
            r#"{"name":"n","title":"t"}"#,
        ),
        ("book", "", "{}"),
        ("name", "1:\"x\" 1:\"y\"", "\"y\""),
        ("name", "", "\"\""),
        ("page_size", "3:7", "7"),
        ("page_size", "", "0"),
        ("big", "", "\"0\""),
        ("color", "", "\"COLOR_UNSPECIFIED\""),
        ("tags", "6:\"a\" 1:\"x\" 6:\"b\"", r#"["a","b"]"#),
        ("tags", "", "[]"),
        ("numbers", "7:[1 2] 7:3", "[1,2,3]"),
        ("labels", "8:{1:\"a\" 2:\"b\"}", r#"{"a":"b"}"#),
        ("labels", "", "{}"),
        ("books", "10:{} 10:{2:\"x\"}", r#"[{},{"title":"x"}]"#),
        ("since", "", "null"),
        ("since", "12:{}", "\"1970-01-01T00:00:00Z\""),
        ("value", "", "null"),
        ("extra", "", "{}"),
        ("limit", "14:{1:3}", "3"),
        ("limit", "", "null"),
        ("query", "4:\"a\" 5:{}", "\"\""),
        ("like", "4:\"a\" 5:{}", "{}"),
    ] {
        let response = Response {
            tables: &SCHEMA.tables,
            message: message("Request"),
            selection: Some(step("Request", field)),
            options: &JsonOptions::default(),
            limit: 1_000,
        };
        let mut out = Vec::new();
        transcode(&response, &assemble(wire), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{field} {wire}");
    }
}
