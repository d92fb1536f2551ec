//! JSON to wire by table: what is accepted and what it means, what is refused and in which words.

use super::{encode, rejected, round, step, to_wire};
use crate::schema::binding::BodyTarget;
use crate::schema::policy::{EnumCase, JsonOptions, UnknownFields};
use crate::transcode::bind::Bound;
use crate::transcode::json_to_wire::Rejection;

/// Each JSON text comes back as the second one.
fn check_round(name: &str, cases: &[(&str, &str)]) {
    for (json, expected) in cases {
        assert_eq!(round(name, json), *expected, "{json}");
    }
}

/// Each JSON text is refused with these words.
fn check_rejected(name: &str, cases: &[(&str, &str)]) {
    for (json, expected) in cases {
        assert_eq!(rejected(to_wire(name, json)), *expected, "{json}");
    }
}

/// J2: numbers, strings and bytes in all their spellings.
#[test]
fn scalars_are_read_in_every_legal_spelling() {
    check_round(
        "Scalars",
        &[
            ("{}", "{}"),
            (" {\n} \t\r\n", "{}"),
            (r#"{"fInt64":"7"}"#, r#"{"fInt64":"7"}"#),
            (r#"{"f_int64":7}"#, r#"{"fInt64":"7"}"#),
            (
                r#"{"fInt32":1.0,"fInt64":1e2,"fSint32":"-12e0"}"#,
                r#"{"fInt32":1,"fInt64":"100","fSint32":-12}"#,
            ),
            (
                r#"{"fInt64":9007199254740993}"#,
                r#"{"fInt64":"9007199254740993"}"#,
            ),
            (
                r#"{"fInt64":9007199254740993.0}"#,
                r#"{"fInt64":"9007199254740993"}"#,
            ),
            (
                r#"{"fUint64":18446744073709551615}"#,
                r#"{"fUint64":"18446744073709551615"}"#,
            ),
            (
                r#"{"fSint64":-9223372036854775808}"#,
                r#"{"fSint64":"-9223372036854775808"}"#,
            ),
            (
                r#"{"fFixed32":4294967295,"fSfixed64":"-1"}"#,
                r#"{"fFixed32":4294967295,"fSfixed64":"-1"}"#,
            ),
            (
                r#"{"fDouble":"NaN","fFloat":"-Infinity"}"#,
                r#"{"fDouble":"NaN","fFloat":"-Infinity"}"#,
            ),
            (
                r#"{"fDouble":"1.5","fFloat":1e-1}"#,
                r#"{"fDouble":1.5,"fFloat":0.1}"#,
            ),
            (r#"{"fDouble":-0.0}"#, r#"{"fDouble":-0}"#),
            (r#"{"fDouble":0.0}"#, "{}"),
            (
                r#"{"fString":"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"}"#,
                r#"{"fString":"é😀\"\\/\b\f\n\r\t"}"#,
            ),
            (r#"{"fBytes":"-_8"}"#, r#"{"fBytes":"+/8="}"#),
            (r#"{"fBytes":"+\/8="}"#, r#"{"fBytes":"+/8="}"#),
            (
                r#"{"fColor":"BLUE","fAlias":"ALSO_SECOND"}"#,
                r#"{"fColor":"BLUE","fAlias":"SECOND"}"#,
            ),
            (
                r#"{"fColor":2,"fAlias":1.0}"#,
                r#"{"fColor":"GREEN","fAlias":"SECOND"}"#,
            ),
            (r#"{"fColor":77}"#, r#"{"fColor":77}"#),
            (r#"{"my \"name\"":"x"}"#, r#"{"my \"name\"":"x"}"#),
            (r#"{"custom":"x"}"#, r#"{"my \"name\"":"x"}"#),
            (r#"{"fNull":null}"#, "{}"),
        ],
    );
}

/// J2: null is unset, defaults are left out unless they have presence.
#[test]
fn null_and_defaults_are_not_written() {
    check_round(
        "Scalars",
        &[(
            r#"{"fInt32":null,"fString":null,"fColor":null,"fBool":false,"fBytes":"","fInt64":"0"}"#,
            "{}",
        )],
    );
    assert_eq!(
        to_wire("Scalars", r#"{"fInt32":0,"fString":""}"#),
        Ok(Vec::new())
    );
    let all = r#"{"oInt32":0,"oString":"","oBool":false,"oColor":"COLOR_UNSPECIFIED","oDouble":0}"#;
    check_round("Optionals", &[(all, all), (r#"{"oInt32":null}"#, "{}")]);
    check_round(
        "Known",
        &[(
            r#"{"any":null,"struct":null,"wInt32":null,"empty":null,"timestamp":null}"#,
            "{}",
        )],
    );
    check_round("Lists", &[(r#"{"ints":null,"trees":[]}"#, "{}")]);
    check_round("Maps", &[(r#"{"s":null,"trees":{}}"#, "{}")]);
}

#[test]
fn scalars_of_another_form_are_refused() {
    check_rejected(
        "Scalars",
        &[
            (r#"{"fInt32":1.5}"#, "fInt32: `1.5` is not an integer"),
            (
                r#"{"fInt32":2147483648}"#,
                "fInt32: `2147483648` is out of range for int32",
            ),
            (r#"{"fInt32":"abc"}"#, "fInt32: `abc` is not a valid int32"),
            (r#"{"fInt32":""}"#, "fInt32: `` is not a valid int32"),
            (r#"{"fInt32":" 1"}"#, "fInt32: ` 1` is not a valid int32"),
            (
                r#"{"fInt32":true}"#,
                "fInt32: expected an integer, found a boolean",
            ),
            (
                r#"{"fInt32":{}}"#,
                "fInt32: expected an integer, found an object",
            ),
            (
                r#"{"fInt32":[1]}"#,
                "fInt32: expected an integer, found a list",
            ),
            (
                r#"{"fUint32":-1}"#,
                "fUint32: `-1` is out of range for uint32",
            ),
            (
                r#"{"fUint64":18446744073709551616}"#,
                "fUint64: `18446744073709551616` is out of range for uint64",
            ),
            (
                r#"{"fFloat":1e39}"#,
                "fFloat: `1e39` is out of range for float",
            ),
            (
                r#"{"fDouble":1e999}"#,
                "fDouble: `1e999` is out of range for double",
            ),
            (
                r#"{"fDouble":"inf"}"#,
                "fDouble: `inf` is not a valid double",
            ),
            (r#"{"fDouble":"+1"}"#, "fDouble: `+1` is not a valid double"),
            (r#"{"fDouble":NaN}"#, "fDouble: not valid JSON"),
            (
                r#"{"fDouble":false}"#,
                "fDouble: expected a number, found a boolean",
            ),
            (
                r#"{"fBool":"true"}"#,
                "fBool: expected true or false, found a string",
            ),
            (
                r#"{"fBool":1}"#,
                "fBool: expected true or false, found a number",
            ),
            (
                r#"{"fString":1}"#,
                "fString: expected a string, found a number",
            ),
            (r#"{"fBytes":"a"}"#, "fBytes: is not valid base64"),
            (
                r#"{"fBytes":[1]}"#,
                "fBytes: expected a string in base64, found a list",
            ),
            (
                r#"{"fColor":"red"}"#,
                "fColor: `red` is no value of t.Color; the nearest known name is `RED`",
            ),
            (r#"{"fColor":"1"}"#, "fColor: `1` is no value of t.Color"),
            (r#"{"fColor":1.5}"#, "fColor: `1.5` is not an integer"),
            (
                r#"{"fColor":2147483648}"#,
                "fColor: `2147483648` is out of range for t.Color",
            ),
            (
                r#"{"fColor":true}"#,
                "fColor: expected the name of an enum value, found a boolean",
            ),
        ],
    );
}

/// J2, B10: text that is no JSON, or more than one value.
#[test]
fn what_is_not_json_is_refused_without_the_parsers_words() {
    check_rejected(
        "Scalars",
        &[
            (" \n", ": the body holds nothing but whitespace"),
            ("null", ": expected a value, found null"),
            ("[]", ": expected an object, found a list"),
            ("\"x\"", ": expected an object, found a string"),
            ("7", ": expected an object, found a number"),
            ("{} x", ": there is more text after the JSON value"),
            ("{}{}", ": there is more text after the JSON value"),
            ("{", ": the JSON text ends too early"),
            (r#"{"fInt32":1"#, ": the JSON text ends too early"),
            (r#"{"fInt32":"#, "fInt32: the JSON text ends too early"),
            (r#"{"fInt32":01}"#, "fInt32: not valid JSON"),
            (r#"{"fInt32":-07}"#, "fInt32: not valid JSON"),
            (r#"{"fInt32":1.}"#, "fInt32: not valid JSON"),
            (
                r#"{"fInt32":1,}"#,
                ": not valid JSON: a comma with nothing after it",
            ),
            (r#"{1:2}"#, ": not valid JSON: a key is not a string"),
            (r#"{'fInt32':2}"#, ": not valid JSON: a key is not a string"),
            (
                "{\"fString\":\"a\nb\"}",
                "fString: a string holds a control character that is not escaped",
            ),
            (
                r#"{"fString":"\ud800"}"#,
                "fString: a string holds a lone surrogate",
            ),
            (
                r#"{"fString":"\udc00x"}"#,
                "fString: a string holds a lone surrogate",
            ),
            (
                r#"{"fString":"\x41"}"#,
                "fString: a string holds an unknown escape",
            ),
            (r#"{"\ud800":1}"#, ": a string holds a lone surrogate"),
        ],
    );
    let options = JsonOptions::default();
    let bytes = b"{\"fString\":\"\xff\"}";
    let result = encode(
        "Scalars",
        &BodyTarget::Whole,
        &Bound::default(),
        &options,
        bytes,
    );
    assert_eq!(rejected(result), ": the body is not valid UTF-8");
}

/// J2: a key given twice or by both names; an unknown key.
#[test]
fn keys_are_known_and_given_once() {
    check_rejected(
        "Scalars",
        &[
            (r#"{"fInt32":1,"fInt32":1}"#, "fInt32: is given twice"),
            (r#"{"fInt32":1,"f_int32":2}"#, "fInt32: is given twice"),
            (r#"{"fInt32":null,"f_int32":2}"#, "fInt32: is given twice"),
            (
                r#"{"fInt23":1}"#,
                "fInt23: is no field of t.Scalars; the nearest known name is `fInt32`",
            ),
            (
                r#"{"other":{"a":[1,{}]}}"#,
                "other: is no field of t.Scalars",
            ),
            (r#"{"@type":"x"}"#, "@type: is no field of t.Scalars"),
        ],
    );
    check_rejected(
        "Tree",
        &[(
            r#"{"left":{"children":[{},{"nam":1}],"named":{"a b":{"x":1}}}}"#,
            "left.children[1].nam: is no field of t.Tree; the nearest known name is `name`; \
             left.named[\"a b\"].x: is no field of t.Tree",
        )],
    );
}

#[test]
fn all_mistakes_are_told_up_to_a_bound() {
    check_rejected(
        "Scalars",
        &[(
            r#"{"fInt32":"x","fBool":1,"nope":1}"#,
            "fInt32: `x` is not a valid int32; \
             fBool: expected true or false, found a number; nope: is no field of t.Scalars",
        )],
    );
    let many = format!("{{\"ints\":[{}1]}}", "true,".repeat(1_000));
    match to_wire("Lists", &many) {
        Err(Rejection::Invalid(violations)) => assert_eq!(violations.len(), 32),
        other => panic!("{other:?}"),
    }
}

#[test]
fn complaints_know_their_place() {
    for (json, offset) in [
        (r#"{"fInt32": "x"}"#, 11),
        ("{\n \"fBool\":1 , \"fInt32\":\n\n true}", 11),
        (r#"{"nope":1}"#, 2),
        ("{\n\n\"fInt32\":01}", 13),
        (r#"{"fInt32":1"#, 10),
        ("{} x", 3),
    ] {
        match to_wire("Scalars", json) {
            Err(Rejection::Invalid(violations)) => {
                assert_eq!(violations[0].offset, Some(offset), "{json}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn lists_and_maps_are_read() {
    check_round(
        "Lists",
        &[
            (
                r#"{"ints":[1,"2",3e0],"strings":["","a"]}"#,
                r#"{"ints":[1,2,3],"strings":["","a"]}"#,
            ),
            (r#"{"unpacked":[0,0]}"#, r#"{"unpacked":[0,0]}"#),
            (
                r#"{"nulls":[null],"values":[null,1,"a",[],{}]}"#,
                r#"{"nulls":[null],"values":[null,1,"a",[],{}]}"#,
            ),
            (
                r#"{"trees":[{},{"name":"x"}]}"#,
                r#"{"trees":[{},{"name":"x"}]}"#,
            ),
        ],
    );
    check_round(
        "Maps",
        &[
            (r#"{"s":{"":"","a":"b"}}"#, r#"{"s":{"":"","a":"b"}}"#),
            (r#"{"i":{"-1":0,"7":"8"}}"#, r#"{"i":{"-1":0,"7":8}}"#),
            (
                r#"{"colors":{"true":"RED","false":0}}"#,
                r#"{"colors":{"true":"RED","false":"COLOR_UNSPECIFIED"}}"#,
            ),
            (
                r#"{"trees":{"18446744073709551615":{}}}"#,
                r#"{"trees":{"18446744073709551615":{}}}"#,
            ),
            (
                r#"{"values":{"n":null,"o":{"a":[null]}}}"#,
                r#"{"values":{"n":null,"o":{"a":[null]}}}"#,
            ),
        ],
    );
    check_rejected(
        "Lists",
        &[
            (
                r#"{"ints":[1,null]}"#,
                "ints[1]: null is not allowed in a list",
            ),
            (
                r#"{"trees":[null]}"#,
                "trees[0]: null is not allowed in a list",
            ),
            (r#"{"ints":1}"#, "ints: expected a list, found a number"),
            (
                r#"{"ints":[[1]]}"#,
                "ints[0]: expected an integer, found a list",
            ),
            (
                r#"{"ints":{"0":1}}"#,
                "ints: expected a list, found an object",
            ),
            (
                r#"{"ints":[1,]}"#,
                "ints[1]: not valid JSON: a comma with nothing after it",
            ),
            (
                r#"{"times":["x"]}"#,
                "times[0]: expected an RFC 3339 time such as \"2024-01-31T12:00:00Z\", found `x`",
            ),
        ],
    );
    check_rejected(
        "Maps",
        &[
            (
                r#"{"s":{"a":null}}"#,
                "s[\"a\"]: null is not allowed in a map",
            ),
            (
                r#"{"s":{"a":"b","\u0061":"c"}}"#,
                "s[\"a\"]: is given twice",
            ),
            (r#"{"i":{"1":1,"1.0":1}}"#, "i[\"1\"]: is given twice"),
            (r#"{"i":{"x":1}}"#, "i[\"x\"]: `x` is not a valid map key"),
            (
                r#"{"colors":{"True":1}}"#,
                "colors[\"True\"]: a key of this map is `true` or `false`",
            ),
            (r#"{"s":[]}"#, "s: expected an object, found a list"),
        ],
    );
}

/// J2: a oneof set twice; null sets nothing but where null is a value.
#[test]
fn oneofs_are_set_once() {
    check_round(
        "Choice",
        &[
            (r#"{"text":""}"#, r#"{"text":""}"#),
            (r#"{"text":null,"number":0}"#, r#"{"number":0}"#),
            (r#"{"nothing":null}"#, r#"{"nothing":null}"#),
            (r#"{"value":null}"#, r#"{"value":null}"#),
            (
                r#"{"tree":{},"yes":false,"outside":"x"}"#,
                r#"{"tree":{},"yes":false,"outside":"x"}"#,
            ),
        ],
    );
    check_rejected(
        "Choice",
        &[
            (
                r#"{"text":"","number":1}"#,
                "number: another field of the oneof `pick` is set too",
            ),
            (
                r#"{"nothing":null,"text":"a"}"#,
                "text: another field of the oneof `pick` is set too",
            ),
            (
                r#"{"yes":true,"no":false}"#,
                "no: another field of the oneof `other` is set too",
            ),
        ],
    );
}

#[test]
fn well_known_types_have_their_own_forms() {
    check_round(
        "Known",
        &[
            (
                r#"{"timestamp":"2024-01-31T12:00:00.5+01:00"}"#,
                r#"{"timestamp":"2024-01-31T11:00:00.500Z"}"#,
            ),
            (r#"{"duration":"-1.5s"}"#, r#"{"duration":"-1.500s"}"#),
            (
                r#"{"fieldMask":"a.fooBar,b"}"#,
                r#"{"fieldMask":"a.fooBar,b"}"#,
            ),
            (r#"{"fieldMask":""}"#, r#"{"fieldMask":""}"#),
            (
                r#"{"struct":{"a":1,"b":[true,null,{"c":"d"}]}}"#,
                r#"{"struct":{"a":1,"b":[true,null,{"c":"d"}]}}"#,
            ),
            (r#"{"value":{"a":1e2}}"#, r#"{"value":{"a":100}}"#),
            (r#"{"value":null}"#, r#"{"value":null}"#),
            (r#"{"value":-0.0}"#, r#"{"value":-0}"#),
            (
                r#"{"value":18446744073709551615}"#,
                r#"{"value":1.8446744073709552e+19}"#,
            ),
            (r#"{"listValue":[1,[]]}"#, r#"{"listValue":[1,[]]}"#),
            (r#"{"empty":{}}"#, r#"{"empty":{}}"#),
            (
                r#"{"wDouble":"NaN","wFloat":0}"#,
                r#"{"wDouble":"NaN","wFloat":0}"#,
            ),
            (
                r#"{"wInt64":7,"wUint64":"8"}"#,
                r#"{"wInt64":"7","wUint64":"8"}"#,
            ),
            (
                r#"{"wInt32":0,"wUint32":1,"wBool":false}"#,
                r#"{"wInt32":0,"wUint32":1,"wBool":false}"#,
            ),
            (
                r#"{"wString":"","wBytes":"AQ"}"#,
                r#"{"wString":"","wBytes":"AQ=="}"#,
            ),
            (r#"{"wInts":[0,1]}"#, r#"{"wInts":[0,1]}"#),
        ],
    );
    check_rejected(
        "Known",
        &[
            (
                r#"{"timestamp":5}"#,
                "timestamp: expected an RFC 3339 time such as \"2024-01-31T12:00:00Z\", found a number",
            ),
            (
                r#"{"duration":"1"}"#,
                "duration: expected a duration such as \"1.5s\", found `1`",
            ),
            (
                r#"{"fieldMask":"foo_bar"}"#,
                "fieldMask: expected field paths such as \"title,author.name\", found `foo_bar`",
            ),
            (
                r#"{"struct":[]}"#,
                "struct: expected an object, found a list",
            ),
            (
                r#"{"struct":{"a":1,"a":2}}"#,
                "struct[\"a\"]: is given twice",
            ),
            (
                r#"{"listValue":{}}"#,
                "listValue: expected a list, found an object",
            ),
            (r#"{"value":1e999}"#, "value: a number is out of range"),
            (
                r#"{"empty":{"a":1}}"#,
                "empty.a: is no field of google.protobuf.Empty",
            ),
            (
                r#"{"wInt32":{"value":1}}"#,
                "wInt32: expected an integer, found an object",
            ),
            (
                r#"{"wInts":[null]}"#,
                "wInts[0]: null is not allowed in a list",
            ),
        ],
    );
    check_round(
        "google.protobuf.Timestamp",
        &[("\"1970-01-01T00:00:00Z\"", "\"1970-01-01T00:00:00Z\"")],
    );
    check_round("google.protobuf.Value", &[("null", "null"), ("[1]", "[1]")]);
    check_round("google.protobuf.Int64Value", &[("0", "\"0\"")]);
}

/// J4: types of the schema and built-in ones; `@type` anywhere.
#[test]
fn any_is_read_by_its_type() {
    let book =
        r#"{"any":{"@type":"type.googleapis.com/t.Book","title":"x","author":{"name":"y"}}}"#;
    check_round(
        "Known",
        &[
            (book, book),
            (
                r#"{"any":{"title":"x","@type":"type.googleapis.com/t.Book","author":{"name":"y"}}}"#,
                book,
            ),
            (
                r#"{"any":{"title":"x","author":{"name":"y"},"@type":"type.googleapis.com/t.Book"}}"#,
                book,
            ),
            (r#"{"any":{}}"#, r#"{"any":{}}"#),
            (
                r#"{"any":{"@type":"a/t.Tree"}}"#,
                r#"{"any":{"@type":"a/t.Tree"}}"#,
            ),
            (
                r#"{"any":{"value":"1.5s","@type":"a/google.protobuf.Duration"}}"#,
                r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1.500s"}}"#,
            ),
            (
                r#"{"any":{"@type":"a/google.protobuf.Any","value":{"@type":"a/google.protobuf.Value","value":null}}}"#,
                r#"{"any":{"@type":"a/google.protobuf.Any","value":{"@type":"a/google.protobuf.Value","value":null}}}"#,
            ),
            (
                r#"{"any":{"@type":"a/google.protobuf.Empty","value":{}}}"#,
                r#"{"any":{"@type":"a/google.protobuf.Empty"}}"#,
            ),
            (
                r#"{"any":{"@type":"a/google.rpc.ErrorInfo","metadata":{"a":"b"}}}"#,
                r#"{"any":{"@type":"a/google.rpc.ErrorInfo","metadata":{"a":"b"}}}"#,
            ),
            (
                r#"{"any":{"@type":"a/google.rpc.Status","details":[{"@type":"a/t.Book","title":"x"}]}}"#,
                r#"{"any":{"@type":"a/google.rpc.Status","details":[{"@type":"a/t.Book","title":"x"}]}}"#,
            ),
        ],
    );
    check_rejected(
        "Known",
        &[
            (r#"{"any":{"title":"x"}}"#, "any: `@type` is missing"),
            (
                r#"{"any":{"@type":"a/no.Such","x":1}}"#,
                "any.@type: the type `a/no.Such` is not known",
            ),
            (
                r#"{"any":{"@type":"t.Book"}}"#,
                "any.@type: `t.Book` is no type URL: it needs a `/` before the name of the type",
            ),
            (
                r#"{"any":{"@type":7}}"#,
                "any.@type: expected the URL of a type",
            ),
            (
                r#"{"any":{"@type":"a/t.Book","@type":"a/t.Book"}}"#,
                "any.@type: is given twice",
            ),
            (
                r#"{"any":{"titel":"x","@type":"a/t.Book"}}"#,
                "any.titel: is no field of t.Book; the nearest known name is `title`",
            ),
            (
                r#"{"any":{"title":"\ud800","@type":"a/t.Book"}}"#,
                "any.title: a string holds a lone surrogate",
            ),
            (
                r#"{"any":{"@type":"a/google.protobuf.Duration"}}"#,
                "any.value: is missing",
            ),
            (
                r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1s","x":1}}"#,
                "any.x: types with a JSON form of their own have `@type` and `value` only",
            ),
            (r#"{"any":[]}"#, "any: expected an object, found a list"),
        ],
    );
}

/// J1: proto2 with groups, extensions, closed enums, required fields, message sets.
#[test]
fn old_messages_are_read() {
    check_round(
        "Old",
        &[
            (r#"{"number":0,"text":""}"#, r#"{"number":0,"text":""}"#),
            (
                r#"{"inner":{"a":"x","deeper":{"c":false}},"item":[{"id":1},{}]}"#,
                r#"{"inner":{"a":"x","deeper":{"c":false}},"item":[{"id":1},{}]}"#,
            ),
            (
                r#"{"[t.extra]":5,"[t.names]":["a"]}"#,
                r#"{"[t.extra]":5,"[t.names]":["a"]}"#,
            ),
            (
                r#"{"[t.recursive]":{"[t.extra]":1},"[t.extgroup]":[{"e":1}],"[t.Scope.nested_extension]":"ONE"}"#,
                r#"{"[t.recursive]":{"[t.extra]":1},"[t.extgroup]":[{"e":1}],"[t.Scope.nested_extension]":"ONE"}"#,
            ),
            (
                r#"{"closed":1,"many":["ONE","TWO"],"packed":[2,1]}"#,
                r#"{"closed":"ONE","many":["ONE","TWO"],"packed":["TWO","ONE"]}"#,
            ),
            (r#"{"grouped":{"d":1}}"#, r#"{"grouped":{"d":1}}"#),
            (
                r#"{"set":{"[t.Member.member]":{"value":7}}}"#,
                r#"{"set":{"[t.Member.member]":{"value":7}}}"#,
            ),
            (r#"{"set":{"[t.Member.member]":null}}"#, r#"{"set":{}}"#),
        ],
    );
    check_rejected(
        "Old",
        &[
            (r#"{"closed":3}"#, "closed: 3 is no value of t.Closed"),
            (r#"{"[t.none]":3}"#, "[t.none]: is no field of t.Old"),
            (
                r#"{"grouped":{},"other":1}"#,
                "other: another field of the oneof `pick` is set too",
            ),
        ],
    );
    check_rejected(
        "Needs",
        &[
            ("{}", "id: is required"),
            (r#"{"id":null}"#, "id: is required"),
            (
                r#"{"id":"","inner":{},"list":[{"id":"a"},{}],"named":{"k":{}}}"#,
                "inner.id: is required; list[1].id: is required; named[\"k\"].id: is required",
            ),
        ],
    );
    check_round("Needs", &[(r#"{"id":""}"#, r#"{"id":""}"#)]);
}

#[test]
fn options_let_unknown_things_pass() {
    let options = JsonOptions {
        unknown_fields: UnknownFields::Ignore,
        enum_case: EnumCase::Insensitive,
        ..JsonOptions::default()
    };
    let read = |name: &str, json: &str| {
        encode(
            name,
            &BodyTarget::Whole,
            &Bound::default(),
            &options,
            json.as_bytes(),
        )
        .and_then(|wire| super::to_json(name, &wire).map_err(|_error| Rejection::TooLarge))
    };
    for (name, json, expected) in [
        (
            "Scalars",
            r#"{"nope":[{"a":1e999}],"fInt32":1}"#,
            r#"{"fInt32":1}"#,
        ),
        ("Scalars", r#"{"fColor":"red"}"#, r#"{"fColor":"RED"}"#),
        ("Scalars", r#"{"fColor":"none"}"#, "{}"),
        (
            "Lists",
            r#"{"colors":["RED","none","GREEN"]}"#,
            r#"{"colors":["RED","GREEN"]}"#,
        ),
        (
            "Maps",
            r#"{"colors":{"true":"none","false":"RED"}}"#,
            r#"{"colors":{"false":"RED"}}"#,
        ),
        (
            "Known",
            r#"{"any":{"x":1,"@type":"a/google.protobuf.Duration","value":"1s"}}"#,
            r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1s"}}"#,
        ),
    ] {
        assert_eq!(read(name, json).as_deref(), Ok(expected), "{json}");
    }
    assert!(
        read("Scalars", r#"{"nope":[1,}"#).is_err(),
        "what is skipped must be JSON"
    );
}

/// B10: bodies of one field.
#[test]
fn a_body_may_be_one_field() {
    let options = JsonOptions::default();
    let read = |field: &str, json: &str| {
        let target = BodyTarget::Field(step("Request", field));
        match encode(
            "Request",
            &target,
            &Bound::default(),
            &options,
            json.as_bytes(),
        ) {
            Ok(wire) => super::to_json("Request", &wire).unwrap(),
            rejected => self::rejected(rejected),
        }
    };
    for (field, json, expected) in [
        ("book", "", "{}"),
        ("book", "null", "{}"),
        ("book", "{}", r#"{"book":{}}"#),
        ("book", r#"{"title":"x"}"#, r#"{"book":{"title":"x"}}"#),
        ("tags", r#"["a","b"]"#, r#"{"tags":["a","b"]}"#),
        ("labels", r#"{"a":"b"}"#, r#"{"labels":{"a":"b"}}"#),
        ("page_size", "7", r#"{"pageSize":7}"#),
        ("note", "\"\"", r#"{"note":""}"#),
        ("value", "null", r#"{"value":null}"#),
        (
            "since",
            "\"2020-01-01T00:00:00Z\"",
            r#"{"since":"2020-01-01T00:00:00Z"}"#,
        ),
        ("book", " ", ": the body holds nothing but whitespace"),
        ("book", "[]", "book: expected an object, found a list"),
        (
            "book",
            r#"{"author":{"nam":1}}"#,
            "book.author.nam: is no field of t.Author; the nearest known name is `name`",
        ),
        ("tags", "[1]", "tags[0]: expected a string, found a number"),
        (
            "page_size",
            "7 8",
            ": there is more text after the JSON value",
        ),
    ] {
        assert_eq!(read(field, json), expected, "{field} {json}");
    }
}

#[test]
fn a_rule_without_a_body_takes_none() {
    let options = JsonOptions::default();
    let read = |json: &[u8]| {
        encode(
            "Request",
            &BodyTarget::None,
            &Bound::default(),
            &options,
            json,
        )
    };
    assert_eq!(read(b""), Ok(Vec::new()));
    assert_eq!(rejected(read(b"{}")), ": this method takes no body");
    assert_eq!(
        rejected(read(b" ")),
        ": the body holds nothing but whitespace"
    );
}

/// B10, proto2: what is required may be missing although there is no body.
#[test]
fn an_empty_body_still_lacks_what_is_required() {
    assert_eq!(rejected(to_wire("Needs", "")), "id: is required");
    assert_eq!(to_wire("Scalars", ""), Ok(Vec::new()));
}
