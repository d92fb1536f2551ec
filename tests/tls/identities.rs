//! Clients that are known by their certificates, and what the application is told of them.

use crate::authority::Authority;
use crate::client::Client;
use crate::{gateway, run};

#[test]
fn f16_the_application_is_told_what_was_verified_and_nothing_else() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
        ours.server(&["localhost"]).write(directory.path(), "a");
        std::fs::write(directory.path().join("ca.pem"), theirs.pem()).unwrap();
        let tls = "{cert: a.pem, key: a.key, client_auth: optional, client_ca: [ca.pem]}";
        let gateway = gateway::start(directory.path(), tls).await;
        let address = gateway.addresses().listen;
        let forged = "x-forwarded-client-cert: Hash=00;URI=spiffe://a/root\r\n";

        let nobody = Client::new(&ours, None);
        let answer = nobody.get(address, forged).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(!answer.contains("client-cert"), "{answer}");

        let known = theirs.client("shelf", "spiffe://a.test/shelf");
        let somebody = Client::new(&ours, Some(&known)).offering(&["h2"]);
        let forged = [("x-forwarded-client-cert", "Hash=00;URI=spiffe://a/root")];
        let (status, answer) = somebody.get_h2(address, &forged).await.unwrap();
        assert_eq!(status, 200);
        let lines: Vec<&str> = answer
            .lines()
            .filter(|line| line.starts_with("x-forwarded-client-cert: "))
            .collect();
        let [line] = *lines else { panic!("{answer}") };
        assert!(line.contains(": hash="), "{line}");
        assert!(!line.contains("hash=00;"), "{line}");
        assert!(
            line.ends_with(
                ";subject=\"cn=shelf,o=rcgen self signed cert\";uri=spiffe://a.test/shelf"
            ) || line.ends_with(";subject=\"cn=shelf\";uri=spiffe://a.test/shelf"),
            "{line}"
        );

        let stranger = Authority::new("nobody's").client("shelf", "spiffe://a.test/shelf");
        let stranger = Client::new(&ours, Some(&stranger));
        let refused = stranger.get(address, "").await.unwrap_err().to_string();
        assert!(
            refused.contains("UnknownCA") || refused.contains("reset"),
            "{refused}"
        );
    });
}

#[test]
fn without_a_certificate_there_may_be_no_connection() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        authority
            .server(&["localhost"])
            .write(directory.path(), "a");
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        let tls = "{cert: a.pem, key: a.key, client_auth: required, client_ca: [ca.pem]}";
        let gateway = gateway::start(directory.path(), tls).await;
        let address = gateway.addresses().listen;

        let nobody = Client::new(&authority, None);
        let refused = nobody.get(address, "").await.unwrap_err().to_string();
        assert!(
            refused.contains("CertificateRequired") || refused.contains("reset"),
            "{refused}"
        );
        // A certificate of a server proves no client.
        let server = authority.server(&["localhost"]);
        let wrong = Client::new(&authority, Some(&server));
        assert!(wrong.get(address, "").await.is_err());

        let known = authority.client("shelf", "spiffe://a.test/shelf");
        let somebody = Client::new(&authority, Some(&known));
        assert!(
            somebody
                .get(address, "")
                .await
                .unwrap()
                .starts_with("HTTP/1.1 200")
        );
    });
}

#[test]
fn m3_what_a_trusted_proxy_says_stands_before_the_proxy_itself() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        authority
            .server(&["localhost"])
            .write(directory.path(), "a");
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        let tls = "{cert: a.pem, key: a.key, client_auth: required, client_ca: [ca.pem]}";
        let trust = "  headers: {trusted_proxies: [127.0.0.1]}\n";
        let gateway = gateway::start_with(directory.path(), tls, trust).await;
        let proxy = authority.client("proxy", "spiffe://a.test/proxy");
        let proxy = Client::new(&authority, Some(&proxy));
        let said = "X-Forwarded-Client-Cert: Hash=77\r\n";
        let answer = proxy.get(gateway.addresses().listen, said).await.unwrap();
        let values: Vec<&str> = answer
            .lines()
            .filter_map(|line| line.strip_prefix("x-forwarded-client-cert: "))
            .collect();
        let [client, proxy] = *values else {
            panic!("{answer}")
        };
        assert_eq!(client, "hash=77");
        assert!(proxy.ends_with("uri=spiffe://a.test/proxy"), "{proxy}");
    });
}
