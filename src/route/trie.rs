//! The route table.

/// Values stored under HTTP method and path template.
#[derive(Debug)]
pub struct Trie<T> {
    values: Vec<T>,
}
