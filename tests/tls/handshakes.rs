//! Who gets which certificate and which protocol, and who gets nothing.

use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::authority::Authority;
use crate::client::Client;
use crate::{gateway, run};

#[test]
fn a_request_is_answered_over_both_versions_and_says_https() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        authority
            .server(&["localhost"])
            .write(directory.path(), "a");
        let gateway = gateway::start(directory.path(), "{cert: a.pem, key: a.key}").await;
        let address = gateway.addresses().listen;

        // A proxy of somebody's says nothing that the application could believe.
        let forged = "X-Forwarded-Proto: http\r\nForwarded: proto=http\r\n";
        for offered in [&[][..], &["http/1.1"], &["h2c", "http/1.1"]] {
            let client = Client::new(&authority, None).offering(offered);
            let answer = client.get(address, forged).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(
                answer.contains("\r\nx-forwarded-proto: https\r\n"),
                "{answer}"
            );
            assert!(!answer.contains("\r\nforwarded:"), "{answer}");
            assert!(!answer.contains("x-forwarded-client-cert"), "{answer}");
        }
        let client = Client::new(&authority, None).offering(&["http/1.1", "h2"]);
        let (status, body) = client
            .get_h2(address, &[("x-forwarded-proto", "http")])
            .await
            .unwrap();
        assert_eq!(status, 200);
        assert!(body.contains("\r\nx-forwarded-proto: https\r\n"), "{body}");
        drop(gateway);
    });
}

#[test]
fn certificates_are_chosen_by_the_name_that_is_asked_for() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        let first = authority.server(&["localhost", "a.test"]);
        let second = authority.server(&["*.b.test"]);
        first.write(directory.path(), "a");
        second.write(directory.path(), "b");
        let tls = "{certificates: [{cert: a.pem, key: a.key}, {cert: b.pem, key: b.key}]}";
        let gateway = gateway::start(directory.path(), tls).await;
        let client = Client::new(&authority, None);
        for (name, expected) in [("a.test", &first), ("x.b.test", &second)] {
            let address = gateway.addresses().listen;
            let stream = client.connect(address, name).await.unwrap();
            let shown = &stream.get_ref().1.peer_certificates().unwrap()[0];
            let expected = CertificateDer::from_pem_slice(expected.cert.as_bytes()).unwrap();
            assert_eq!(*shown, expected, "{name}");
        }
        // Everybody else gets the first, and refuses it.
        let refused = client.connect(gateway.addresses().listen, "c.test").await;
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("not valid for name")
        );
    });
}

#[test]
fn who_offers_nothing_that_is_spoken_gets_nothing() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        authority
            .server(&["localhost"])
            .write(directory.path(), "a");
        let tls = "{cert: a.pem, key: a.key, min_version: \"1.3\"}";
        let gateway = gateway::start(directory.path(), tls).await;
        let address = gateway.addresses().listen;

        let client = Client::new(&authority, None).offering(&["spdy/3"]);
        let refused = client.connect(address, "localhost").await.unwrap_err();
        assert!(
            refused.to_string().contains("NoApplicationProtocol"),
            "{refused}"
        );

        let mut client = Client::new(&authority, None);
        let provider = std::sync::Arc::clone(client.config.crypto_provider());
        client.config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let refused = client.connect(address, "localhost").await.unwrap_err();
        assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");
    });
}

#[test]
fn who_speaks_no_tls_is_told_so() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        authority
            .server(&["localhost"])
            .write(directory.path(), "a");
        let gateway = gateway::start(directory.path(), "{cert: a.pem, key: a.key}").await;
        let mut stream = TcpStream::connect(gateway.addresses().listen)
            .await
            .unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).await.unwrap();
        assert!(all.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{all}");
        assert!(
            all.ends_with("this port speaks TLS: ask for https://\n"),
            "{all}"
        );

        let mut stream = TcpStream::connect(gateway.addresses().listen)
            .await
            .unwrap();
        stream.write_all(b"\x00\x01\x02").await.unwrap();
        let mut all = Vec::new();
        drop(stream.read_to_end(&mut all).await);
        assert_eq!(all, b"");
    });
}

/// Fault 17: a hello that stalls has the time of a first byte, and one after a handshake too.
#[test]
fn f17_a_stalled_handshake_is_cut_off() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        authority
            .server(&["localhost"])
            .write(directory.path(), "a");
        let tls = "{cert: a.pem, key: a.key}";
        let limits = "limits: {first_byte: 1s}\n";
        let gateway = gateway::start_with(directory.path(), tls, limits).await;
        let address = gateway.addresses().listen;
        // Nothing; the start of a record; a record that promises more than it brings.
        for bytes in [&[][..], &[22, 3, 1], &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]] {
            let begun = Instant::now();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            let mut all = Vec::new();
            drop(stream.read_to_end(&mut all).await);
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(900), "{bytes:?}: {took:?}");
            assert!(took < Duration::from_secs(8), "{bytes:?}: {took:?}");
        }
        let begun = Instant::now();
        let client = Client::new(&authority, None);
        let mut silent = client.connect(address, "localhost").await.unwrap();
        let mut all = Vec::new();
        drop(silent.read_to_end(&mut all).await);
        assert!(begun.elapsed() >= Duration::from_millis(900));
        drop(gateway);
    });
}

/// More than any buffer holds, to a client that reads slowly, and the end told apart from a cut.
#[test]
fn a_large_answer_comes_whole() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        authority
            .server(&["localhost"])
            .write(directory.path(), "a");
        let tls = "{cert: a.pem, key: a.key}";
        let gateway = gateway::start_large(directory.path(), tls, 24 << 20).await;
        let address = gateway.addresses().listen;
        let client = Client::new(&authority, None);
        for connection in ["close", "keep-alive"] {
            let mut stream = client.connect(address, "localhost").await.unwrap();
            let request = format!("GET /x HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut left = 24 << 20;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let mut chunk = vec![0; 100_000];
            while left > 0 {
                let read = stream.read(&mut chunk).await.unwrap();
                assert!(read > 0, "{left} bytes are missing");
                left -= read;
            }
            if connection == "close" {
                assert_eq!(stream.read(&mut chunk).await.unwrap(), 0, "a goodbye");
            }
        }
        drop(gateway);
    });
}

#[test]
fn a_certificate_for_development_is_made() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let gateway = gateway::start(directory.path(), "{self_signed: true}").await;
        let authority = Authority::new("ca");
        let client = Client::new(&authority, None);
        let refused = client
            .connect(gateway.addresses().listen, "localhost")
            .await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("UnknownIssuer"), "{refused}");
        let figure = "sidegate_tls_certificate_not_after_seconds{name=\"localhost\",file=\"\"} ";
        gateway::metrics_with(&gateway, figure).await;
        gateway::metrics_with(&gateway, "sidegate_tls_handshakes_failed_total 1\n").await;
    });
}
