//! Tokens and keys with everything around them: a URL that keys come from, plain HTTP, WebSockets,
//! and files that change (fault 46).

use std::time::{Duration, Instant};

use super::scene::{Scene, Server, Signer, bearer, run, write};
use super::support::websocket::WebSocket;

#[test]
fn f46_keys_of_a_url_are_fetched_once_and_kept_when_it_is_gone() {
    run(async {
        let (known, unknown) = (Signer::new("a"), Signer::new("b"));
        let keys = Server::default();
        keys.say(&known.published());
        let url = keys.start().await;
        let jwt = format!(
            "{{require: jwt, jwt: {{t: {{keys: 'http://{url}/keys?a=b', audiences: [a]}}}}}}"
        );
        let scene = Scene::new(&jwt, "", &[]);
        let began = Instant::now();
        // Whoever comes before the keys waits for them.
        assert!(scene.admits(&known.token("alice")).await);
        let head = keys.heads().swap_remove(0);
        assert!(head.starts_with("get /keys?a=b http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nhost: {url}\r\n")), "{head}");
        keys.say("nothing of use");
        for _ in 0..300 {
            assert!(!scene.admits(&unknown.token("alice")).await);
        }
        let most = 1 + began.elapsed().as_secs() / 30;
        let asked = keys.heads().len() as u64;
        assert!(asked <= most, "{asked} of {most}");
        assert!(scene.admits(&known.token("alice")).await);
    });
}

#[test]
fn f46_keys_that_are_too_many_are_none() {
    run(async {
        let signer = Signer::new("a");
        let keys = Server::default();
        keys.say(&format!("{}{}", " ".repeat(600 << 10), signer.published()));
        let url = keys.start().await;
        let jwt =
            format!("{{require: jwt, jwt: {{t: {{keys: 'http://{url}/', audiences: [a]}}}}}}");
        let scene = Scene::new(&jwt, "", &[]);
        let answer = scene.get("/get", &bearer(&signer.token("alice"))).await;
        assert!(answer.starts_with("http/1.1 401"), "{answer}");
        assert!(
            answer.contains("x-sidegate-reason: unknown_key"),
            "{answer}"
        );
    });
}

#[test]
fn f46_keys_of_a_file_follow_the_file() {
    run(async {
        let (old, new) = (Signer::new("a"), Signer::new("b"));
        let jwt = "{require: jwt, jwt: {t: {keys: keys.json, audiences: [a]}}}";
        let scene = Scene::new(jwt, "", &[("keys.json", old.published())]);
        scene.until_admitted(&old.token("alice")).await;
        assert!(!scene.admits(&new.token("alice")).await);
        // Half of a file changes nothing.
        write(scene.folder.path(), "keys.json", "{\"keys\": [");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(scene.admits(&old.token("alice")).await);
        write(scene.folder.path(), "keys.json", &new.published());
        scene.until_admitted(&new.token("alice")).await;
        assert!(!scene.admits(&old.token("alice")).await);
    });
}

#[test]
fn f16_plain_http_is_guarded_as_everything_is() {
    run(async {
        let signer = Signer::new("a");
        let plain = Server::default();
        plain.say("hello");
        let address = plain.start().await;
        let jwt = "{require: jwt, forward_token: false, \
                   jwt: {t: {keys: keys.json, audiences: [a], headers: {x-user: sub}}}}";
        let more = format!("rest: {{fallback: 'http://{address}'}}\n");
        let scene = Scene::new(jwt, &more, &[("keys.json", signer.published())]);
        let forged = "x-sidegate-caller: root\r\nx-user: root\r\n";
        let answer = scene.get("/page", forged).await;
        assert!(answer.starts_with("http/1.1 401"), "{answer}");
        assert!(answer.contains("www-authenticate: bearer\r\n"), "{answer}");
        assert!(plain.heads().is_empty());
        let answer = scene
            .get(
                "/page",
                &format!("{forged}{}", bearer(&signer.token("alice"))),
            )
            .await;
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        let head = plain.heads().swap_remove(0);
        assert!(head.contains("\r\nx-sidegate-caller: alice\r\n"), "{head}");
        assert!(head.contains("\r\nx-user: alice\r\n"), "{head}");
        for gone in ["root", "authorization"] {
            assert!(!head.contains(gone), "{head}");
        }
    });
}

#[test]
fn f46_a_websocket_begins_with_a_token_or_not_at_all() {
    run(async {
        let signer = Signer::new("a");
        let jwt = "{require: jwt, token_query: ticket, token_cookie: session, \
                   jwt: {t: {keys: keys.json, audiences: [a]}}}";
        let scene = Scene::new(jwt, "", &[("keys.json", signer.published())]);
        let token = signer.token("alice");
        let (query, cookie) = (format!("/watch?ticket={token}"), format!("session={token}"));
        for (target, headers, status) in [
            ("/watch", &[][..], 401),
            ("/watch?ticket=x", &[], 401),
            (&query, &[], 101),
            ("/watch", &[("cookie", &*cookie)], 101),
        ] {
            let socket = WebSocket::open(scene.address(), target, headers).await;
            assert_eq!(
                socket.status, status,
                "{target} {headers:?}: {}",
                socket.head
            );
        }
        let over_h2 = WebSocket::open_h2(scene.address(), &query, &[]).await;
        assert_eq!(over_h2.status, 200, "{}", over_h2.head);
    });
}

/// A browser sends the cookie of whoever looks at a page, and says whose page it is.
#[test]
fn a_page_of_another_origin_opens_no_websocket_of_the_plain_port() {
    run(async {
        let signer = Signer::new("a");
        let plain = Server::default();
        let address = plain.start().await;
        plain.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let jwt =
            "{require: jwt, token_cookie: session, jwt: {t: {keys: keys.json, audiences: [a]}}}";
        let more = format!("rest: {{fallback: 'http://{address}'}}\n");
        let scene = Scene::new(jwt, &more, &[("keys.json", signer.published())]);
        let cookie = format!("session={}", signer.token("alice"));
        for (origin, status) in [(Some("https://evil.example"), 403), (None, 200)] {
            let origin = origin.map(|origin| ("origin", origin));
            let headers: Vec<_> = [("cookie", &*cookie)].into_iter().chain(origin).collect();
            let socket = WebSocket::open(scene.address(), "/ws", &headers).await;
            assert_eq!(socket.status, status, "{origin:?}: {}", socket.head);
        }
        assert_eq!(plain.heads().len(), 1);
    });
}

#[test]
fn api_keys_have_names_and_are_good_for_something() {
    run(async {
        // The SHA-256 of `secret` and of `password`.
        let keys = "# callers\n\
            billing 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b get other\n\
            other 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8\n";
        let plain = Server::default();
        plain.say("hello");
        let address = plain.start().await;
        let auth =
            "{require: api_key, forward_token: false, api_keys: {file: keys.txt, query: key}}";
        let more = format!(
            "rest: {{fallback: 'http://{address}'}}\n\
             routes: {{t.S.Get: {{auth: {{scopes: [get]}}}}, t.S.Put: {{auth: {{callers: [other]}}}}}}\n"
        );
        let scene = Scene::new(auth, &more, &[("keys.txt", keys.to_owned())]);
        for (target, headers, status) in [
            ("/get", "", "401"),
            ("/get", "x-api-key: secret\r\n", "501"),
            ("/get?key=secret", "", "501"),
            ("/get?key=wrong", "", "401"),
            ("/get", "x-api-key: Secret\r\n", "401"),
            ("/get", "x-api-key: password\r\n", "403"),
            ("/put", "x-api-key: password\r\n", "501"),
            ("/put", "x-api-key: secret\r\n", "403"),
            ("/page", "x-api-key: secret\r\n", "200"),
        ] {
            let answer = scene.get(target, headers).await;
            assert_eq!(
                answer.get(9..12),
                Some(status),
                "{target} {headers} {answer}"
            );
        }
        let head = plain.heads().swap_remove(0);
        assert!(
            head.contains("\r\nx-sidegate-caller: billing\r\n"),
            "{head}"
        );
        assert!(
            head.contains("\r\nx-sidegate-scopes: get other\r\n"),
            "{head}"
        );
        assert!(!head.contains("x-api-key"), "{head}");
    });
}
