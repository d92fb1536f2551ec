//! TLS towards the application: a gRPC server by the `h2` crate that shows a certificate, wants one
//! if it is told to, and answers those alone who say `https`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sidegate::app::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, Signed};
use crate::{gateway, run};

const PROTO: &str = "syntax = \"proto3\";\npackage t;\nmessage M { string a = 1; }\n\
                     service S { rpc Get(M) returns (M); rpc Put(stream M) returns (M); }\n";

/// Starts an application that speaks these protocols, and wants certificates by `clients`.
async fn start(own: &Signed, clients: Option<&Authority>, protocols: &[&str]) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let pem = authority.pem();
            let root = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            roots.add(root).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    let names = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = names.collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream).await;
                }
            });
        }
    });
    address
}

/// Answers every call with an empty message, and with OK those that say `https`.
async fn serve(stream: tokio_rustls::server::TlsStream<TcpStream>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let secure = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
        let response = http::Response::builder()
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let mut stream = respond.send_response(response, false).unwrap();
        stream
            .send_data(Bytes::from_static(&[0; 5]), false)
            .unwrap();
        let mut trailers = http::HeaderMap::new();
        let status = if secure { "0" } else { "13" };
        trailers.insert("grpc-status", status.parse().unwrap());
        stream.send_trailers(trailers).unwrap();
    }
}

fn gateway_for(directory: &Path, app: SocketAddr, tls: &str) -> Running {
    std::fs::write(directory.join("t.proto"), PROTO).unwrap();
    let port = app.port();
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nschema: {{proto: [t.proto]}}\n\
         limits: {{timeout: 5s, workers: 1}}\n\
         upstreams: {{app: {{url: 'https://127.0.0.1:{port}', connect_timeout: 2s, tls: {tls}}}}}\n"
    );
    gateway::start_text(directory, &text)
}

/// One call by REST: the status of the answer.
async fn call(gateway: &Running, method: &str) -> u16 {
    let mut stream = TcpStream::connect(gateway.addresses().listen)
        .await
        .unwrap();
    let request = format!(
        "POST /t.S/{method} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    all.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_application_is_known_by_its_certificate_and_is_told_who_calls() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let (theirs, ours) = (Authority::new("theirs"), Authority::new("ours"));
        let app = theirs.server(&["app.test"]);
        let app = start(&app, Some(&ours), &["h2"]).await;
        std::fs::write(directory.path().join("ca.pem"), theirs.pem()).unwrap();
        ours.client("gateway", "spiffe://a.test/gateway")
            .write(directory.path(), "own");

        let tls = "{ca: [ca.pem], server_name: app.test, cert: own.pem, key: own.key}";
        let gateway = gateway_for(directory.path(), app, tls);
        // One by our own HTTP/2 client, one by the crate's.
        assert_eq!(call(&gateway, "Get").await, 200);
        assert_eq!(call(&gateway, "Put").await, 200);

        let nobody = gateway_for(
            directory.path(),
            app,
            "{ca: [ca.pem], server_name: app.test}",
        );
        assert_eq!(call(&nobody, "Get").await, 503);
        let misnamed = "{ca: [ca.pem], cert: own.pem, key: own.key}";
        let misnamed = gateway_for(directory.path(), app, misnamed);
        assert_eq!(call(&misnamed, "Get").await, 503);
    });
}

/// Each endpoint is known by its own host; one in plain text may stand beside it.
#[test]
fn endpoints_over_tls_stand_beside_others() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        std::fs::write(directory.path().join("t.proto"), PROTO).unwrap();
        let (one, other) = (
            start(&authority.server(&["127.0.0.1"]), None, &["h2"]).await,
            start(&authority.server(&["localhost"]), None, &["h2"]).await,
        );
        let (port, more) = (one.port(), other.port());
        let gateway = |endpoints: &str, tls: &str| {
            let text = format!(
                "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nschema: {{proto: [t.proto]}}\n\
                 limits: {{timeout: 5s, workers: 1}}\n\
                 upstreams: {{app: {{endpoints: [{endpoints}], tls: {{ca: [ca.pem]{tls}}}}}}}\n"
            );
            gateway::start_text(directory.path(), &text)
        };
        let (https, named) = (
            format!("'https://127.0.0.1:{port}'"),
            format!("'https://localhost:{more}'"),
        );
        let both = gateway(&format!("{https}, {named}, 'unix:nobody.sock'"), "");
        for _ in 0..20 {
            assert_eq!(call(&both, "Get").await, 200);
        }
        let misnamed = gateway(&format!("'https://localhost:{port}'"), "");
        assert_eq!(call(&misnamed, "Get").await, 503);
        let said = gateway(
            &format!("'https://localhost:{port}'"),
            ", server_name: 127.0.0.1",
        );
        assert_eq!(call(&said, "Get").await, 200);
    });
}

#[test]
fn who_does_not_agree_on_http2_is_no_application() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        for protocols in [&[][..], &["http/1.1"]] {
            let app = authority.server(&["127.0.0.1"]);
            let app = start(&app, None, protocols).await;
            let gateway = gateway_for(directory.path(), app, "{ca: [ca.pem]}");
            assert_eq!(call(&gateway, "Get").await, 503, "{protocols:?}");
        }
    });
}

#[test]
fn f39_who_signs_the_application_changes_without_a_restart() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, old.pem()).unwrap();
        let app = new.server(&["127.0.0.1"]);
        let app = start(&app, None, &["h2"]).await;
        let gateway = gateway_for(directory.path(), app, "{ca: [ca.pem]}");
        assert_eq!(call(&gateway, "Get").await, 503);

        std::fs::write(&ca, "half a file").unwrap();
        assert!(!gateway.reload_certificates());
        std::fs::write(&ca, new.pem()).unwrap();
        assert!(gateway.reload_certificates());
        for _ in 0..100 {
            if call(&gateway, "Get").await == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the new authority is not believed");
    });
}

/// Nobody has to ask: the files are watched.
#[test]
fn f39_files_towards_the_application_are_watched() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, old.pem()).unwrap();
        let app = new.server(&["127.0.0.1"]);
        let app = start(&app, None, &["h2"]).await;
        let gateway = gateway_for(directory.path(), app, "{ca: [ca.pem]}");
        assert_eq!(call(&gateway, "Get").await, 503);
        std::fs::write(&ca, new.pem()).unwrap();
        for _ in 0..100 {
            if call(&gateway, "Get").await == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("nobody looks at the new authority");
    });
}
