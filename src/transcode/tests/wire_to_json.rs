//! Wire to JSON by table.

use super::{round, to_json};

#[test]
fn smoke() {
    assert_eq!(
        to_json("Scalars", b"\x18\x05"),
        Ok(String::from("{\"fInt32\":5}"))
    );
    for json in [
        r#"{"fDouble":1.5,"fInt64":"7","fBool":true,"fString":"ü\n","fBytes":"AQI=","fColor":"RED","my \"name\"":"x"}"#,
    ] {
        assert_eq!(round("Scalars", json), json);
    }
}
