//! Keys that belong to the product but not to this version: named as such, never as unknown.

/// Paths of keys; `*` stands for any name.
const PLANNED: &[&str] = &[
    "egress",
    "limits.stream_idle",
    "routes.*.mirror",
    "upstreams.*.codecs",
];

/// Whether a path of keys is planned.
pub(super) fn is_planned(keys: &[String]) -> bool {
    PLANNED.iter().any(|planned| {
        let mut planned = planned.split('.');
        let fits = keys.iter().all(|key| {
            planned
                .next()
                .is_some_and(|name| name == "*" || name == key)
        });
        fits && planned.next().is_none()
    })
}
