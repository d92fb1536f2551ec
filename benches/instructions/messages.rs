//! The messages of `shelf.proto`, and the ones that are sent.

use std::collections::BTreeMap;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ListRequest {
    #[prost(int32, tag = "1")]
    pub(crate) page_size: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Book {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    title: String,
    #[prost(string, tag = "3")]
    author: String,
    #[prost(int32, tag = "4")]
    pages: i32,
    #[prost(int64, tag = "5")]
    sold: i64,
    #[prost(int32, tag = "6")]
    state: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Part {
    #[prost(string, tag = "1")]
    part_number: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(double, tag = "3")]
    weight_grams: f64,
    #[prost(uint32, tag = "4")]
    quantity: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(string, tag = "1")]
    item_id: String,
    #[prost(string, tag = "2")]
    display_name: String,
    #[prost(string, tag = "3")]
    long_description: String,
    #[prost(int32, tag = "4")]
    state: i32,
    #[prost(int64, tag = "5")]
    price_micros: i64,
    #[prost(double, tag = "6")]
    rating: f64,
    #[prost(bool, tag = "7")]
    available: bool,
    #[prost(message, optional, tag = "8")]
    create_time: Option<prost_types::Timestamp>,
    #[prost(string, repeated, tag = "9")]
    tags: Vec<String>,
    #[prost(int32, repeated, tag = "10")]
    scores: Vec<i32>,
    #[prost(btree_map = "string, string", tag = "11")]
    labels: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "12")]
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Message)]
struct ItemList {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Item>,
    #[prost(string, tag = "2")]
    next_page_token: String,
}

/// About 150 bytes of JSON.
pub(crate) fn book() -> Vec<u8> {
    let book = Book {
        name: String::from("books/the-left-hand"),
        title: String::from("The Left Hand of Darkness"),
        author: String::from("Ursula K. Le Guin"),
        pages: 286,
        sold: 9_007_199,
        state: 2,
    };
    book.encode_to_vec()
}

fn one_item(number: i32) -> Item {
    let parts = (0..12).map(|part| Part {
        part_number: format!("PN-{number:04}-{part:02}"),
        description: format!("part {part} of item {number}, with a \"quoted\" word"),
        weight_grams: f64::from(number * 7 + part) + 0.25,
        quantity: u32::try_from(part).unwrap_or(0) + 1,
    });
    Item {
        item_id: format!("item-{number:06}"),
        display_name: format!("Item number {number}"),
        long_description: format!(
            "{number}: {}",
            "a line of some length that says little. ".repeat(8)
        ),
        state: 2,
        price_micros: i64::from(number) * 1_990_000 + 10,
        rating: 4.5,
        available: true,
        create_time: Some(prost_types::Timestamp {
            seconds: 1_700_000_000 + i64::from(number),
            nanos: 120_000_000,
        }),
        tags: vec![
            String::from("first"),
            String::from("second"),
            format!("tag-{number}"),
        ],
        scores: (0..12).map(|score| score * number).collect(),
        labels: [("env", "production"), ("team", "shelf")]
            .map(|(key, value)| (String::from(key), String::from(value)))
            .into(),
        parts: parts.collect(),
    }
}

/// About 2 KB of JSON.
pub(crate) fn item() -> Vec<u8> {
    one_item(17).encode_to_vec()
}

/// About 41 KB of JSON, no two items alike.
pub(crate) fn list() -> Vec<u8> {
    let list = ItemList {
        items: (1..=20).map(one_item).collect(),
        next_page_token: String::from("21"),
    };
    list.encode_to_vec()
}

/// About 700 bytes of JSON for a new item.
pub(crate) fn new_item() -> String {
    let tags = ["red", "green", "blue", "yellow", "violet"];
    let labels: String = (0..6)
        .map(|label| format!("\"label-{label}\":\"value of {label}\","))
        .collect();
    let labels = labels.trim_end_matches(',');
    format!(
        "{{\"itemId\":\"item-000042\",\"displayName\":\"A new item\",\"longDescription\":\"{}\",\
         \"state\":\"STATE_DRAFT\",\"priceMicros\":\"12990000\",\"rating\":4.25,\"available\":true,\
         \"createTime\":\"2026-11-05T09:00:00.120Z\",\"tags\":{tags:?},\"scores\":[1,2,3,5,8,13],\
         \"labels\":{{{labels}}},\"parts\":[{{\"partNumber\":\"PN-1\",\"weightGrams\":12.5,\
         \"quantity\":3}}]}}",
        "what there is to say about it. ".repeat(6)
    )
}
