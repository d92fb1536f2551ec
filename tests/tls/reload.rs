//! Certificates that change while clients come (fault 39).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::authority::{Authority, Signed};
use crate::client::Client;
use crate::{gateway, run};

async fn shown(client: &Client, address: std::net::SocketAddr) -> CertificateDer<'static> {
    let stream = client.connect(address, "localhost").await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

fn der(signed: &Signed) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(signed.cert.as_bytes()).unwrap()
}

#[test]
fn f39_a_renewed_certificate_costs_no_handshake() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        let mut current = authority.server(&["localhost"]);
        current.write(directory.path(), "a");
        let gateway = gateway::start(directory.path(), "{cert: a.pem, key: a.key}").await;
        let address = gateway.addresses().listen;
        let client = Arc::new(Client::new(&authority, None).offering(&["h2"]));
        let (done, count) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (client, done, count) = (client.clone(), done.clone(), count.clone());
                tokio::spawn(async move {
                    while !done.load(Ordering::Relaxed) {
                        let (status, _) = client.get_h2(address, &[]).await.unwrap();
                        assert_eq!(status, 200);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for _ in 0..10 {
            current = authority.server(&["localhost"]);
            current.write(directory.path(), "a");
            assert!(gateway.reload_certificates());
            assert_eq!(shown(&client, address).await, der(&current));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
        assert!(count.load(Ordering::Relaxed) > 20);
        let metrics = gateway::metrics(&gateway).await;
        assert!(
            metrics.contains("sidegate_tls_handshakes_failed_total 0\n"),
            "{metrics}"
        );
    });
}

#[test]
fn f39_a_key_that_does_not_match_changes_nothing() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        let old = authority.server(&["localhost"]);
        old.write(directory.path(), "a");
        let gateway = gateway::start(directory.path(), "{cert: a.pem, key: a.key}").await;
        let client = Client::new(&authority, None);
        let address = gateway.addresses().listen;

        let new = authority.server(&["localhost"]);
        std::fs::write(directory.path().join("a.pem"), &new.cert).unwrap();
        assert!(!gateway.reload_certificates());
        assert_eq!(shown(&client, address).await, der(&old));

        std::fs::write(directory.path().join("a.key"), &new.key).unwrap();
        assert!(gateway.reload_certificates());
        assert_eq!(shown(&client, address).await, der(&new));
    });
}
