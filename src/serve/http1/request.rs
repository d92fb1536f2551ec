//! What of HTTP/1 never becomes a request.

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::super::host;

/// What never reaches a handler.
pub(super) fn refuse(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    uri_bytes: usize,
) -> Option<StatusCode> {
    if method == Method::CONNECT {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    let length = uri.path_and_query().map_or(0, |path| path.as_str().len());
    if length > uri_bytes {
        return Some(StatusCode::URI_TOO_LONG);
    }
    // Whom a request is for must not depend on which of two names is read.
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    if let (Some(authority), Some(host)) = (uri.authority(), host)
        && !authority.as_str().as_bytes().eq_ignore_ascii_case(host)
    {
        return Some(StatusCode::BAD_REQUEST);
    }
    if host.is_some_and(|host| !host::is_sound(host)) {
        return Some(StatusCode::BAD_REQUEST);
    }
    None
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn requests_that_are_refused() {
        let rows = [
            ("GET", "/", "a", None),
            ("GET", "http://a/", "a", None),
            ("GET", "http://A:80/", "a:80", None),
            ("GET", "http://a/", "b", Some(400)),
            ("GET", "http://u@a/", "u@a", Some(400)),
            ("GET", "/", "a b", Some(400)),
            ("GET", "/", "", None),
            ("GET", "/12345678901", "a", Some(414)),
            ("CONNECT", "a:443", "a:443", Some(405)),
        ];
        for (method, uri, host, expected) in rows {
            let request = Request::builder()
                .method(method)
                .uri(uri)
                .header("host", host)
                .body(())
                .unwrap();
            let refused = refuse(request.method(), request.uri(), request.headers(), 10);
            assert_eq!(
                refused.map(|status| status.as_u16()),
                expected,
                "{method} {uri}"
            );
        }
    }
}
