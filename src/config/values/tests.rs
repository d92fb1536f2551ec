//! Every typed string: what it reads, how it is written again, what it refuses.

use std::net::IpAddr;
use std::time::Duration;

use super::{
    Count, HeaderName, Listen, ListenOrOff, MetadataPrefix, Network, Period, PeriodOrOff,
    PeriodOrZero, QueryPattern, Refused, Selector, Size, Typed, UpstreamUrl,
};

/// Each row: a text and how its value is written again.
fn reads<T: Typed + PartialEq + std::fmt::Debug>(rows: &[(&str, &str)]) {
    for (text, written) in rows {
        let value = T::read(text).unwrap_or_else(|refused| panic!("{text}: {refused:?}"));
        assert_eq!(value.to_string(), *written, "{text}");
        assert_eq!(T::read(written), Ok(value), "{text}");
    }
}

/// Texts that do not have the form.
fn refuses<T: Typed + PartialEq + std::fmt::Debug>(texts: &[&str]) {
    for text in texts {
        assert_eq!(T::read(text), Err(Refused::Form), "{text}");
    }
}

/// Texts that are refused for a reason of their own.
fn explains<T: Typed + std::fmt::Debug>(rows: &[(&str, &str)]) {
    for (text, reason) in rows {
        match T::read(text) {
            Err(Refused::Because(told)) => assert!(told.contains(reason), "{text}: {told}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn periods() {
    reads::<Period>(&[
        ("30s", "30s"),
        ("500ms", "500ms"),
        ("90s", "1m30s"),
        ("1h30m", "1h30m"),
        ("1.5s", "1s500ms"),
        ("0.25h", "15m"),
        ("2d", "2d"),
        ("1us1ns", "1us1ns"),
    ]);
    refuses::<Period>(&[
        "",
        "30",
        "s",
        "-1s",
        "1 s",
        "30s ",
        "30S",
        "1m1h",
        "1s1s",
        "1..5s",
        ".5s",
        "5.s",
        "1w",
        "off",
        "٣s",
        "1e3s",
        "9999999999999999999s",
    ]);
    explains::<Period>(&[
        ("200000d", "hundred years"),
        ("0", "no time"),
        ("0s", "no time"),
        ("0.9ns", "no time"),
        ("999999999999999999d", "hundred years"),
    ]);
    assert_eq!(
        Period::read("1.5s"),
        Ok(Period(Duration::from_millis(1500)))
    );
    reads::<PeriodOrZero>(&[("0", "0s"), ("0s", "0s"), ("2s", "2s")]);
    reads::<PeriodOrOff>(&[("off", "off"), ("5s", "5s")]);
    refuses::<PeriodOrOff>(&["none", "on", "5"]);
}

#[test]
fn sizes() {
    reads::<Size>(&[
        ("4MiB", "4MiB"),
        ("4096KiB", "4MiB"),
        ("4 MiB", "4MiB"),
        ("1.5KiB", "1536B"),
        ("10MB", "10000000B"),
        ("1kB", "1000B"),
        ("0B", "0B"),
        ("3GiB", "3GiB"),
    ]);
    refuses::<Size>(&["", "4", "MiB", "4M", "4mib", "-4MiB", "4MiB ", "4MiB4KiB"]);
    explains::<Size>(&[("4GiB", "4GiB"), ("999999999999999999GiB", "4GiB")]);
    assert_eq!(Size::read("64KiB"), Ok(Size(65_536)));
}

#[test]
fn counts() {
    reads::<Count>(&[("auto", "auto"), ("1", "1"), ("100000", "100000")]);
    refuses::<Count>(&["", "0", "-1", "+1", "1.5", "many", "99999999999"]);
}

#[test]
fn addresses() {
    reads::<Listen>(&[
        ("0.0.0.0:8081", "0.0.0.0:8081"),
        ("[::1]:0", "[::1]:0"),
        ("localhost:80", "127.0.0.1:80"),
        (":8081", "0.0.0.0:8081"),
    ]);
    refuses::<Listen>(&[
        "",
        "8081",
        "0.0.0.0",
        "0.0.0.0:",
        "0.0.0.0:99999",
        "example.com:80",
        "::1:80",
        "localhost:+1",
        "off",
        "http://0.0.0.0:80",
    ]);
    reads::<ListenOrOff>(&[("off", "off"), ("127.0.0.1:9901", "127.0.0.1:9901")]);
}

#[test]
fn networks() {
    reads::<Network>(&[
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1/32", "127.0.0.1"),
        ("fd00::/8", "fd00::/8"),
        ("::/0", "::/0"),
    ]);
    refuses::<Network>(&["", "10", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "a/8"]);
    explains::<Network>(&[("10.1.0.0/8", "bits set")]);
    let inside = |network: &str, address: &str| {
        let network = Network::read(network).unwrap();
        network.contains(address.parse::<IpAddr>().unwrap())
    };
    assert!(inside("10.0.0.0/8", "10.255.0.1"));
    assert!(inside("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert!(!inside("10.0.0.0/8", "11.0.0.1"));
    assert!(!inside("0.0.0.0/0", "::1"));
    assert!(inside("::/0", "::1"));
}

#[test]
fn selectors() {
    for text in [
        "*",
        "pkg.*",
        "pkg.v1.Service",
        "pkg.v1.Service.Get_2",
        "Service",
    ] {
        reads::<Selector>(&[(text, text)]);
    }
    refuses::<Selector>(&[
        "", ".", "pkg.", ".pkg", "pkg..S", "*.S", "pkg*", "pkg.1S", "a b",
    ]);
    explains::<Selector>(&[("/pkg.Service/Method", "with dots")]);
    let covers = |wide: &str, narrow: &str| {
        let read = |text| Selector::read(text).unwrap();
        read(wide).covers(&read(narrow))
    };
    for (wide, narrow) in [
        ("*", "a.B.C"),
        ("a.*", "a.B"),
        ("a.*", "a.b.*"),
        ("a.B", "a.B.C"),
        ("a.B.*", "a.B"),
        ("a.B", "a.B"),
    ] {
        assert!(covers(wide, narrow), "{wide} {narrow}");
    }
    for (wide, narrow) in [
        ("a.B", "a.Bc"),
        ("a.*", "ab.C"),
        ("a.B.C", "a.B"),
        ("a.*", "*"),
    ] {
        assert!(!covers(wide, narrow), "{wide} {narrow}");
    }
}

#[test]
fn names_from_requests() {
    reads::<HeaderName>(&[("X-Internal", "x-internal")]);
    refuses::<HeaderName>(&["", "a b", "a:b", "é"]);
    reads::<MetadataPrefix>(&[("Grpc-Metadata-", "Grpc-Metadata-"), ("", "")]);
    refuses::<MetadataPrefix>(&["a b", "a\r\nb"]);
    reads::<QueryPattern>(&[("utm_*", "utm_*"), ("fbclid", "fbclid"), ("*", "*")]);
    refuses::<QueryPattern>(&["", "a*b", "a=b", "a\n"]);
}

#[test]
fn upstreams() {
    reads::<UpstreamUrl>(&[
        ("http://127.0.0.1:50051", "http://127.0.0.1:50051"),
        ("unix:/run/app.sock", "unix:/run/app.sock"),
        ("dns:///app.example:50051", "dns:///app.example:50051"),
        ("https://app:443", "https://app:443"),
    ]);
    explains::<UpstreamUrl>(&[
        ("https://", "is not host:port"),
        ("app:1", "is not an upstream"),
        ("", "is not an upstream"),
    ]);
}
