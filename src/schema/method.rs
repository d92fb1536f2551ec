//! From service descriptors to [`Method`]s, each with the HTTP rule it is annotated with.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::compile::Services;
use super::descriptor::{
    HttpRule, IdempotencyLevel, MethodDescriptorProto, ServiceDescriptorProto,
};
use super::load::Loaded;
use super::name;
use super::place::step;
use super::plan::{Declared, MessageId, Resolver, TypeId};
use super::policy::Policies;
use super::problem::{Location, Problem};
use super::view;
use super::{Idempotency, Method, StreamKind};

/// A method and what is said about it where it is declared.
#[derive(Debug)]
pub(super) struct Stated {
    pub(super) method: Method,
    pub(super) said: Said,
}

/// What a file says about a method besides what the method is.
#[derive(Debug)]
pub(super) struct Said {
    /// Where it is declared.
    pub(super) place: Location,
    /// Its annotation and where that stands.
    pub(super) annotation: Option<(HttpRule, Location)>,
    /// Counts declarations through all files, in their order.
    pub(super) order: usize,
}

/// The methods of all offered services, collected file by file.
#[derive(Debug)]
pub(super) struct Methods<'a> {
    policies: &'a Policies,
    /// The services that are offered, whether they have methods or not.
    pub(super) services: Vec<Arc<str>>,
    /// In order of declaration until [`Methods::sort`].
    pub(super) stated: Vec<Stated>,
}

/// What a method is collected with.
struct Context<'a> {
    resolver: &'a Resolver,
    policies: &'a Policies,
    file: &'a Loaded,
    service: Arc<str>,
    service_deprecated: bool,
}

impl<'a> Methods<'a> {
    /// None yet.
    pub(super) fn new(policies: &'a Policies) -> Self {
        Self {
            policies,
            services: Vec::new(),
            stated: Vec::new(),
        }
    }

    /// Takes in the services of one file.
    pub(super) fn collect(
        &mut self,
        declared: &Declared,
        file: &Loaded,
        proto: view::File<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let services = match &file.services {
            Services::None => return,
            Services::All | Services::Only(_) => proto.service,
        };
        let file_deprecated = proto.options.is_some_and(|options| options.deprecated());
        let mut names = FxHashSet::default();
        for (at, service) in (0..).zip(services) {
            let full = name::join(&file.package, service.name());
            let owns = declared.services.get(&*full) == Some(&file.index);
            if !owns || !file.services.offers(&full) || !names.insert(full.clone()) {
                continue;
            }
            let options = service.options.as_ref();
            let context = Context {
                resolver: &declared.resolver,
                policies: self.policies,
                file,
                service: full.into(),
                service_deprecated: file_deprecated
                    || options.is_some_and(|options| options.deprecated()),
            };
            self.service(&context, &[step::FILE_SERVICE, at], service, problems);
            self.services.push(context.service);
        }
    }

    fn service(
        &mut self,
        context: &Context<'_>,
        path: &[i32],
        service: ServiceDescriptorProto,
        problems: &mut Vec<Problem>,
    ) {
        let mut names = FxHashSet::default();
        for (at, mut proto) in (0..).zip(service.method) {
            let path = [path, &[step::SERVICE_METHOD, at]].concat();
            let place = context.file.places.at(&path);
            let rule = proto
                .options
                .as_mut()
                .and_then(|options| options.http.take());
            match context.method(&proto) {
                Ok(_) if !names.insert(proto.name().to_owned()) => problems.push(Problem::error(
                    place,
                    format!(
                        "method `{}.{}` is declared twice",
                        context.service,
                        proto.name()
                    ),
                )),
                Ok(method) => {
                    let annotation = rule.map(|rule| {
                        let option = [&*path, &[step::METHOD_OPTIONS, step::HTTP]].concat();
                        (rule, context.file.places.at(&option))
                    });
                    self.stated.push(Stated {
                        method,
                        said: Said {
                            place,
                            annotation,
                            order: self.stated.len(),
                        },
                    });
                }
                Err(complaint) => {
                    let name = name::show(proto.name());
                    let text = format!(
                        "method `{}.{name}` is left out: {complaint}",
                        context.service
                    );
                    let mut problem = Problem::error(place, text);
                    if matches!(complaint, Complaint::Missing { .. }) {
                        problem = problem.with_help(context.file.help_for_missing());
                    }
                    problems.push(problem);
                }
            }
        }
    }

    /// Puts services in order of their names; methods of a service stay as declared.
    pub(super) fn sort(&mut self) {
        self.services.sort_unstable();
        self.stated
            .sort_by(|one, other| one.method.service.cmp(&other.method.service));
    }
}

// === impl Context ===

impl Context<'_> {
    fn method(&self, proto: &MethodDescriptorProto) -> Result<Method, Complaint> {
        let name = proto.name();
        if !name::is_identifier(name) {
            return Err(Complaint::Name);
        }
        let input = self.message("request", proto.input_type())?;
        let output = self.message("response", proto.output_type())?;
        let options = proto.options.as_ref();
        let level = options.map(|options| options.idempotency_level());
        let path = format!("/{}/{name}", self.service);
        // Names are identifiers, which a path may hold.
        let target =
            http::uri::PathAndQuery::try_from(&*path).map_err(|_unlikely| Complaint::Name)?;
        Ok(Method {
            path: path.into(),
            target,
            service: Arc::clone(&self.service),
            name: name.into(),
            input,
            output,
            kind: match (proto.client_streaming(), proto.server_streaming()) {
                (false, false) => StreamKind::Unary,
                (true, false) => StreamKind::ClientStream,
                (false, true) => StreamKind::ServerStream,
                (true, true) => StreamKind::Bidi,
            },
            idempotency: match level {
                Some(IdempotencyLevel::NoSideEffects) => Idempotency::NoSideEffects,
                Some(IdempotencyLevel::Idempotent) => Idempotency::Idempotent,
                Some(IdempotencyLevel::IdempotencyUnknown) | None => Idempotency::Unknown,
            },
            repeatable: matches!(
                level,
                Some(IdempotencyLevel::NoSideEffects | IdempotencyLevel::Idempotent)
            ),
            deprecated: self.service_deprecated
                || options.is_some_and(|options| options.deprecated()),
            policy: self.policies.of(&self.service, name),
        })
    }

    fn message(&self, role: &'static str, type_name: &str) -> Result<MessageId, Complaint> {
        let found = name::resolve(type_name, &self.service, |name| self.resolver.find(name));
        let name = || name::show(type_name.trim_start_matches('.'));
        match found {
            Some(TypeId::Message(id)) => Ok(id),
            Some(TypeId::Enum(_)) => Err(Complaint::Enum { role, name: name() }),
            None => Err(Complaint::Missing { role, name: name() }),
        }
    }
}

/// Why a method is left out.
#[derive(Debug)]
enum Complaint {
    /// Its name is none.
    Name,
    /// Its request or response type is declared nowhere.
    Missing { role: &'static str, name: String },
    /// Its request or response type is no message.
    Enum { role: &'static str, name: String },
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("its name is not a name"),
            Self::Missing { role, name } => {
                write!(f, "no loaded file declares its {role} type `{name}`")
            }
            Self::Enum { role, name } => write!(f, "its {role} type `{name}` is an enum"),
        }
    }
}
