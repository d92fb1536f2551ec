//! The bookstore as a part: [`serve`] runs it on a listener until it is told to stop.
//!
//! The program `bookstore`, the example `quickstart` and the integration tests all run this
//! code. It holds everything in memory and starts with a few famous books, always the same.

mod mask;
mod refuse;
mod seed;
mod service;
mod store;
mod streams;

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

use proto::bookstore::v1::bookstore_server::BookstoreServer;
use store::Store;

/// What is generated from the protos.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    clippy::nursery,
    warnings,
    reason = "generated code"
)]
pub(crate) mod proto {
    pub(crate) mod bookstore {
        pub(crate) mod v1 {
            tonic::include_proto!("bookstore.v1");
        }
    }
    pub(crate) mod google {
        pub(crate) mod api {
            tonic::include_proto!("google.api");
        }
    }
}

/// The descriptors of `bookstore.proto` and all that it imports, with every option kept.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/services.binpb"));

/// How to run a bookstore.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Which versions of server reflection to offer.
    pub(crate) reflection: Reflection,
}

/// Versions of server reflection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reflection {
    /// Both of them.
    On,
    /// Only the older one, as many servers do.
    V1alpha,
    /// None.
    Off,
}

/// Serves a freshly seeded bookstore on `listener` until `stop` is over.
pub(crate) async fn serve<F>(
    listener: TcpListener,
    options: Options,
    stop: F,
) -> Result<(), Box<dyn Error>>
where
    F: Future<Output = ()>,
{
    let store = Arc::new(Store::new(seed::shelves()));
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_serving::<BookstoreServer<service::Service>>()
        .await;

    let v1 = match options.reflection {
        Reflection::On => Some(describe().build_v1()?),
        Reflection::V1alpha | Reflection::Off => None,
    };
    let v1alpha = match options.reflection {
        Reflection::On | Reflection::V1alpha => Some(describe().build_v1alpha()?),
        Reflection::Off => None,
    };
    tonic::transport::Server::builder()
        .add_service(BookstoreServer::new(service::Service::new(store)))
        .add_service(health_service)
        .add_optional_service(v1)
        .add_optional_service(v1alpha)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stop)
        .await?;
    Ok(())
}

fn describe() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
