//! What is a context and what is none.

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn context(sampled: Option<bool>) -> Context {
    Context {
        trace_id: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
        span_id: 0xb7ad_6b71_6920_3331,
        sampled,
    }
}

#[test]
fn traceparent_is_read_strictly() {
    for (text, sampled) in [
        (format!("00-{TRACE}-{SPAN}-01"), true),
        (format!("00-{TRACE}-{SPAN}-00"), false),
        (format!("00-{TRACE}-{SPAN}-ff"), true),
        (format!("cc-{TRACE}-{SPAN}-01"), true),
        (format!("cc-{TRACE}-{SPAN}-01-what-the-future-holds"), true),
    ] {
        let expected = Some(context(Some(sampled)));
        assert_eq!(parse_traceparent(text.as_bytes()), expected, "{text}");
    }
    for text in [
        String::new(),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("cc-{TRACE}-{SPAN}-01.more"),
        format!("00-{TRACE}-{SPAN}-0"),
        format!("00-{TRACE}-{SPAN}-0g"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("0G-{TRACE}-{SPAN}-01"),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00-{TRACE}{SPAN}--01"),
        format!(" 00-{TRACE}-{SPAN}-01"),
        "-".repeat(55),
        "é".repeat(28),
    ] {
        assert_eq!(parse_traceparent(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn b3_is_read_in_both_forms() {
    for (text, sampled) in [
        (format!("{TRACE}-{SPAN}"), None),
        (format!("{TRACE}-{SPAN}-1"), Some(true)),
        (format!("{TRACE}-{SPAN}-d"), Some(true)),
        (format!("{TRACE}-{SPAN}-0"), Some(false)),
        (format!("{TRACE}-{SPAN}-1-{SPAN}"), Some(true)),
        (format!("{}-{SPAN}-1", TRACE.to_uppercase()), Some(true)),
    ] {
        let expected = Some(context(sampled));
        assert_eq!(parse_b3(text.as_bytes()), expected, "{text}");
    }
    let short = parse_b3(format!("{SPAN}-{SPAN}-1").as_bytes()).unwrap();
    assert_eq!(short.trace_id, u128::from(short.span_id));
    for text in [
        String::new(),
        "0".to_owned(),
        "d".to_owned(),
        format!("{TRACE}-{SPAN}-2"),
        format!("{TRACE}-{SPAN}-1-"),
        format!("{TRACE}-{SPAN}-1-{SPAN}-"),
        format!("{TRACE}-{SPAN}-1-{TRACE}"),
        format!("{}-{SPAN}-1", "0".repeat(32)),
        format!("{TRACE}0-{SPAN}-1"),
        format!("-{SPAN}-1"),
    ] {
        assert_eq!(parse_b3(text.as_bytes()), None, "{text}");
    }
    let several = |sampled: Option<&'static [u8]>, flags: Option<&'static [u8]>| {
        parse_b3_multi(B3 {
            trace_id: TRACE.as_bytes(),
            span_id: SPAN.as_bytes(),
            sampled,
            flags,
        })
    };
    assert_eq!(several(None, None), Some(context(None)));
    assert_eq!(several(Some(b"1"), None), Some(context(Some(true))));
    assert_eq!(several(Some(b"false"), None), Some(context(Some(false))));
    assert_eq!(several(Some(b"0"), Some(b"1")), Some(context(Some(true))));
    assert_eq!(several(Some(b"yes"), None), None);
    assert_eq!(parse_b3_multi(B3::default()), None);
}

#[test]
fn what_is_written_reads_back() {
    for sampled in [false, true] {
        let context = context(Some(sampled));
        let text = format!("00-{TRACE}-{SPAN}-0{}", u8::from(sampled));
        assert_eq!(context.traceparent(), text.as_bytes());
        assert_eq!(parse_traceparent(&context.traceparent()), Some(context));
        assert_eq!(parse_b3(&context.b3()), Some(context));
    }
    assert_eq!(trace_id_text(context(None).trace_id), TRACE.as_bytes());
    assert_eq!(span_id_text(context(None).span_id), SPAN.as_bytes());
}

#[test]
fn every_digit_is_written() {
    for at in 0..128 {
        for value in [
            1_u128 << at,
            u128::MAX << at,
            0x0123_4567_89ab_cdef << (at / 2),
        ] {
            assert_eq!(trace_id_text(value), *format!("{value:032x}").as_bytes());
            let half = u64::try_from(value >> 64).unwrap();
            assert_eq!(span_id_text(half), *format!("{half:016x}").as_bytes());
        }
    }
}
