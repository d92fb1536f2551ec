//! Clients by rustls: HTTP/1.1 by hand, HTTP/2 by the `h2` crate.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, Signed};

pub(crate) struct Client {
    pub(crate) config: ClientConfig,
}

impl Client {
    /// Trusts an authority, and shows a certificate if it has one.
    pub(crate) fn new(trusted: &Authority, own: Option<&Signed>) -> Self {
        let mut roots = RootCertStore::empty();
        let pem = trusted.pem();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        Self { config }
    }

    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        let names = protocols.iter().map(|name| name.as_bytes().to_vec());
        self.config.alpn_protocols = names.collect();
        self
    }

    /// Shakes hands, asking for `name`.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        name: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(self.config.clone()))
            .connect(name, stream)
            .await
    }

    /// One request over HTTP/1.1 on a connection of its own: everything that came, to the end.
    pub(crate) async fn get(&self, address: SocketAddr, fields: &str) -> io::Result<String> {
        let mut stream = self.connect(address, "localhost").await?;
        let request =
            format!("GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut all = String::new();
        // Without a word of goodbye this is an error.
        stream.read_to_string(&mut all).await?;
        Ok(all)
    }

    /// One request over HTTP/2: its status and body.
    pub(crate) async fn get_h2(
        &self,
        address: SocketAddr,
        fields: &[(&str, &str)],
    ) -> io::Result<(u16, String)> {
        let stream = self.connect(address, "localhost").await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut send, connection) = h2::client::handshake(stream)
            .await
            .map_err(io::Error::other)?;
        let driving = tokio::spawn(connection);
        let mut request = http::Request::get("https://a.test/x");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (response, _) = send
            .send_request(request.body(()).unwrap(), true)
            .map_err(io::Error::other)?;
        let response = response.await.map_err(io::Error::other)?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut all = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(io::Error::other)?;
            body.flow_control().release_capacity(data.len()).unwrap();
            all.extend_from_slice(&data);
        }
        driving.abort();
        Ok((status, String::from_utf8(all).unwrap()))
    }
}
