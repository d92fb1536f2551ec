//! Which metadata of the app become headers of the answer (M2, E5).

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};

use crate::call::Status;
use crate::call::metadata::lookup;
use crate::protocol::metadata::is_hop_by_hop;

/// Whether metadata of this name may become a header or an HTTP trailer.
fn passes(name: &str) -> bool {
    !matches!(
        name,
        "content-length" | "content-type" | "content-encoding" | "x-http-code" | "connection"
    ) && !name.starts_with("grpc-")
        && !is_hop_by_hop(name)
}

/// The metadata as headers of the answer, where all of it may pass as it is but for the content
/// type, which the answer has its own of; else the metadata back.
pub(super) fn reuse(metadata: HeaderMap, prefix: Option<&str>) -> Result<HeaderMap, HeaderMap> {
    let all = prefix.is_none()
        && metadata
            .keys()
            .all(|name| *name == CONTENT_TYPE || passes(name.as_str()));
    if all { Ok(metadata) } else { Err(metadata) }
}

/// Appends what may pass of `metadata` to `headers`, under `prefix` if there is one.
pub(super) fn append(headers: &mut HeaderMap, metadata: &HeaderMap, prefix: Option<&str>) {
    for (name, value) in metadata {
        if !passes(name.as_str()) {
            continue;
        }
        match prefix {
            None => {
                headers.append(name, value.clone());
            }
            Some(prefix) => {
                let prefixed = HeaderName::try_from(format!("{prefix}{name}"));
                if let Ok(name) = prefixed {
                    headers.append(name, value.clone());
                }
            }
        }
    }
}

/// Tells gRPC's status by the headers that Envoy tells it by.
pub(super) fn write_status(headers: &mut HeaderMap, status: &Status) {
    let told = status.to_trailers();
    for name in ["grpc-status", "grpc-message"] {
        if let Some(value) = told.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
}

/// The HTTP status that the app chose with `x-http-code`, if it fits the outcome (E5): 2xx and
/// 3xx only for success, 4xx and 5xx only for failure.
pub(super) fn chosen_status(metadata: &[&HeaderMap], ok: bool) -> Option<StatusCode> {
    let value = metadata.iter().find_map(|map| lookup(map, "x-http-code"))?;
    let status = StatusCode::from_bytes(value.as_bytes()).ok()?;
    let fits = match status.as_u16() {
        200..400 => ok,
        400..600 => !ok,
        _ => false,
    };
    fits.then_some(status)
}

/// Whether an answer of this status never has a body (E5).
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e5_the_app_may_choose_a_fitting_status() {
        for (value, ok, expected) in [
            ("201", true, Some(201)),
            ("302", true, Some(302)),
            ("404", true, None),
            ("404", false, Some(404)),
            ("200", false, None),
            ("100", true, None),
            ("abc", true, None),
            ("999", false, None),
        ] {
            let mut map = HeaderMap::new();
            map.insert("x-http-code", value.parse().unwrap());
            let status = chosen_status(&[&HeaderMap::new(), &map], ok);
            assert_eq!(
                status.map(|status| status.as_u16()),
                expected,
                "{value} {ok}"
            );
        }
    }

    #[test]
    fn m2_metadata_is_used_as_it_is_only_if_all_of_it_may_pass() {
        let map = |names: &[&'static str]| -> HeaderMap {
            let pairs = names.iter().map(|name| (*name, "1".parse().unwrap()));
            pairs
                .map(|(name, value)| (HeaderName::from_static(name), value))
                .collect()
        };
        let usual = map(&["content-type", "date", "x-a"]);
        assert_eq!(reuse(usual.clone(), None).as_ref(), Ok(&usual));
        assert_eq!(reuse(usual.clone(), Some("x-")).as_ref(), Err(&usual));
        for odd in [
            "connection",
            "grpc-encoding",
            "x-http-code",
            "content-length",
        ] {
            let metadata = map(&["content-type", odd]);
            assert_eq!(reuse(metadata.clone(), None), Err(metadata), "{odd}");
        }
    }

    #[test]
    fn m2_what_belongs_to_the_gateway_does_not_pass() {
        let mut metadata = HeaderMap::new();
        for name in [
            "content-type",
            "grpc-status",
            "connection",
            "x-http-code",
            "x-a",
            "content-disposition",
            "transfer-encoding",
        ] {
            metadata.insert(HeaderName::from_static(name), "1".parse().unwrap());
        }
        let mut headers = HeaderMap::new();
        append(&mut headers, &metadata, None);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-disposition", "x-a"]);
        let mut headers = HeaderMap::new();
        append(&mut headers, &metadata, Some("Grpc-Metadata-"));
        assert!(headers.contains_key("grpc-metadata-x-a"));
    }
}
